/* Every mistake that a caller can make and the library can see has its number: misuse MODEL, a model for classification.
 * Ends with 0 through the hook for panics; anything else is a failure. Linked with a library that has distil_test_panic. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distil.h"

void distil_test_panic(void);

static int checks;

#define EXPECT(expression, wanted) expect((long)(expression), (long)(wanted), __LINE__, #expression)

static void expect(long found, long wanted, int line, const char *expression) {
    checks++;
    if (found != wanted) {
        printf("line %d: %s gives %ld, not %ld\n", line, expression, found, wanted);
        exit(1);
    }
}

static void on_panic(const char *message) {
    printf("%d checks; the hook was told: %s\n", checks, message);
    exit(strstr(message, "asked for") != NULL ? 0 : 1);
}

static distil_model model;
static distil_opening opening;
static distil_session *session;
static _Alignas(DISTIL_ALIGNMENT) unsigned char file[1 << 20];
static _Alignas(DISTIL_ALIGNMENT) unsigned char buffer[1 << 20];
static size_t len;

static void opening_is_checked(void) {
    const unsigned abi = DISTIL_ABI_VERSION;
    distil_model_info info;
    size_t found;

    EXPECT(distil_abi_version(), DISTIL_ABI_VERSION);
    EXPECT(distil_open(abi + 1, file, len, &model), DISTIL_ERROR_ABI);
    EXPECT(distil_open_unverified(0, file, len, &model), DISTIL_ERROR_ABI);
    EXPECT(distil_opening_start(abi + 1, file, len, &opening), DISTIL_ERROR_ABI);
    EXPECT(distil_open(abi, NULL, len, &model), DISTIL_ERROR_NULL);
    EXPECT(distil_open(abi, NULL, 0, &model), DISTIL_ERROR_NULL);
    EXPECT(distil_open(abi, file, len, NULL), DISTIL_ERROR_NULL);
    EXPECT(distil_open(abi, file, len, (distil_model *)(buffer + 4)), DISTIL_ERROR_MISALIGNED);
    EXPECT(distil_open(abi, file, (size_t)DISTIL_MAX_LEN + 1, &model), DISTIL_ERROR_TOO_LARGE);

    /* Nothing was opened: zeros, and what is left of a failure. */
    memset(&model, 0, sizeof model);
    EXPECT(distil_info(&model, &info), DISTIL_ERROR_NOT_OPEN);
    memset(&model, 0xFF, sizeof model);
    EXPECT(distil_info(&model, &info), DISTIL_ERROR_NOT_OPEN);
    memset(&opening, 0, sizeof opening);
    EXPECT(distil_opening_step(&opening, 64, &model), DISTIL_ERROR_NOT_OPEN);
    EXPECT(distil_opening_done(&opening), 0);
    EXPECT(distil_opening_done(NULL), 0);

    EXPECT(distil_open(abi, file + 8, len, &model), DISTIL_ERROR_ALIGNMENT);
    EXPECT(distil_open(abi, file, 3, &model), DISTIL_ERROR_TOO_SHORT);
    EXPECT(distil_open(abi, file, len - 1, &model), DISTIL_ERROR_LENGTH);
    EXPECT(distil_info(&model, &info), DISTIL_ERROR_LENGTH);
    char text[200], start[12];
    size_t needed = distil_model_message(&model, text, sizeof text);
    EXPECT(strlen(text), needed);
    EXPECT(strstr(text, "bytes and has") != NULL, 1);
    EXPECT(distil_model_message(&model, start, sizeof start), needed);
    EXPECT(strlen(start), sizeof start - 1);
    EXPECT(strncmp(start, text, sizeof start - 1), 0);
    EXPECT(distil_model_message(&model, NULL, 0), needed);
    EXPECT(distil_model_message(&model, NULL, 5), 0);

    EXPECT(distil_file_len(file, sizeof file, &found), DISTIL_OK);
    EXPECT(found, len);
    EXPECT(distil_file_len(file, len - 1, &found), DISTIL_ERROR_LENGTH);
    EXPECT(distil_file_len(file + 64, sizeof file - 64, &found), DISTIL_ERROR_NO_MODEL);
    EXPECT(distil_file_len(NULL, 64, &found), DISTIL_ERROR_NULL);

    file[len / 2] ^= 1;
    EXPECT(distil_open(abi, file, len, &model), DISTIL_ERROR_CHECKSUM);
    EXPECT(distil_open_unverified(abi, file, len, &model), DISTIL_OK);
    file[len / 2] ^= 1;

    /* In slices, copied in between as plain data. */
    distil_status status;
    int slices = 0;
    size_t last = 0;
    EXPECT(distil_opening_start(abi, file, len, &opening), DISTIL_OK);
    while ((status = distil_opening_step(&opening, 64, &model)) == DISTIL_MORE) {
        distil_opening copy = opening;
        memset(&opening, 0, sizeof opening);
        opening = copy;
        EXPECT(distil_opening_done(&opening) >= last && distil_opening_done(&opening) <= len, 1);
        last = distil_opening_done(&opening);
        slices++;
    }
    EXPECT(status, DISTIL_OK);
    EXPECT(slices > 20, 1);
    EXPECT(distil_open(abi, file, len, &model), DISTIL_OK);
    EXPECT(distil_info(&model, &info), DISTIL_OK);
    EXPECT(info.head, DISTIL_HEAD_CLASSIFICATION);
    EXPECT(info.file_len, len);
}

static void questions_are_checked(void) {
    distil_text name;
    distil_token tokens[2];
    size_t count;
    char piece[256];
    uint32_t continues;

    EXPECT(distil_label(&model, 0, &name), DISTIL_OK);
    EXPECT(distil_label(&model, 1000, &name), DISTIL_ERROR_ARGUMENT);
    EXPECT(distil_label(NULL, 0, &name), DISTIL_ERROR_NULL);
    EXPECT(distil_piece(&model, 6, piece, sizeof piece, &count, &continues), DISTIL_OK);
    EXPECT(count == 3 && memcmp(piece, "the", 3) == 0 && continues == 0, 1);
    EXPECT(distil_piece(&model, 6, piece, 2, &count, &continues), DISTIL_ERROR_CAPACITY);
    EXPECT(distil_piece(&model, 100000, piece, sizeof piece, &count, &continues), DISTIL_ERROR_ARGUMENT);
    EXPECT(distil_tokenize(&model, "turn off", 8, tokens, 2, &count), DISTIL_OK);
    EXPECT(count == 2 && tokens[1].start == 5 && tokens[1].end == 8, 1);
    EXPECT(distil_tokenize(&model, "turn off the", 12, tokens, 2, &count), DISTIL_ERROR_CAPACITY);
    EXPECT(count, 3);
    EXPECT(distil_tokenize(&model, NULL, 0, tokens, 2, &count), DISTIL_OK);
    EXPECT(count, 0);
    EXPECT(distil_tokenize(&model, NULL, 1, tokens, 2, &count), DISTIL_ERROR_NULL);
    EXPECT(distil_tokenize(&model, "\xC3", 1, tokens, 2, &count), DISTIL_ERROR_UTF8);
    EXPECT(distil_tokenize(&model, "a", 1, NULL, 0, &count), DISTIL_ERROR_CAPACITY);
    EXPECT(distil_tokenize(&model, "a", 1, tokens, 2, NULL), DISTIL_ERROR_NULL);
    EXPECT(distil_memory(&model, 16, 9, &count), DISTIL_ERROR_ARGUMENT);
    for (int status = -1; status < 110; status++) {
        EXPECT(strlen(distil_error_text(status)) > 3, 1);
    }
}

static void starting_is_checked(void) {
    distil_options options = {.max_tokens = 16, .plan = DISTIL_PLAN_SMALL, .truncate = 0};
    size_t needed, fast;

    EXPECT(distil_memory(&model, 16, DISTIL_PLAN_SMALL, &needed), DISTIL_OK);
    EXPECT(distil_memory(&model, 16, DISTIL_PLAN_FAST, &fast), DISTIL_OK);
    EXPECT(fast >= needed && needed < sizeof buffer, 1);
    EXPECT(distil_start(&model, &options, buffer, needed - 1, &session), DISTIL_ERROR_MEMORY);
    EXPECT(session == NULL, 1);
    EXPECT(distil_start(&model, &options, buffer, 0, &session), DISTIL_ERROR_MEMORY);
    EXPECT(distil_start(&model, &options, NULL, needed, &session), DISTIL_ERROR_NULL);
    EXPECT(distil_start(&model, &options, buffer + 32, needed, &session), DISTIL_ERROR_MISALIGNED);
    EXPECT(distil_start(&model, &options, file, len, &session), DISTIL_ERROR_ARGUMENT);
    EXPECT(distil_start(&model, NULL, buffer, needed, &session), DISTIL_ERROR_NULL);
    EXPECT(distil_start(&model, &options, buffer, needed, NULL), DISTIL_ERROR_NULL);
    options.max_tokens = 1;
    EXPECT(distil_start(&model, &options, buffer, sizeof buffer, &session), DISTIL_ERROR_TOKENS);
    options.max_tokens = 65;
    EXPECT(distil_start(&model, &options, buffer, sizeof buffer, &session), DISTIL_ERROR_TOKENS);
    options.max_tokens = 16;
    options.truncate = 2;
    EXPECT(distil_start(&model, &options, buffer, sizeof buffer, &session), DISTIL_ERROR_ARGUMENT);
    options.truncate = 0;

    /* The model's structure is not needed any more. */
    distil_model copy = model;
    EXPECT(distil_start(&copy, &options, buffer, needed, &session), DISTIL_OK);
    memset(&copy, 0, sizeof copy);
}

static void sessions_are_checked(void) {
    distil_classification found, again;
    distil_values values;
    distil_token token;
    size_t count;
    uint32_t ids[] = {2, 5, 3}, wrong[] = {2, 100000};
    uint8_t types[] = {0, 0, 9};
    distil_tag tag;
    distil_candidate candidate;
    char text[200];

    EXPECT(distil_hidden((distil_session *)file, &values), DISTIL_ERROR_NOT_OPEN);
    EXPECT(distil_hidden(NULL, &values), DISTIL_ERROR_NULL);
    EXPECT(distil_encoded(session, 0, &token), DISTIL_ERROR_POSITION);
    EXPECT(distil_classify(session, "turn off", 8, NULL, 0, &found), DISTIL_OK);
    float best = found.scores.values[found.label], first = found.logits.values[0];
    EXPECT(found.scores.len == found.logits.len && best == found.probability, 1);
    EXPECT(distil_encoded(session, 2, &token), DISTIL_OK);
    EXPECT(token.start == 5 && token.end == 8, 1);
    EXPECT(distil_classify(session, "turn off", 8, "the room", 8, &again), DISTIL_OK);
    EXPECT(distil_hidden(session, &values), DISTIL_OK);
    EXPECT(values.len, 32); // [CLS] alone
    EXPECT(distil_encoded(session, 6, &token), DISTIL_OK);
    EXPECT(distil_encoded(session, 7, &token), DISTIL_ERROR_POSITION);
    EXPECT(distil_classify(session, "turn off", 8, NULL, 0, &again), DISTIL_OK);
    EXPECT(again.logits.values[0] == first && again.probability == best, 1);
    EXPECT(distil_classify(session, "turn off", 8, NULL, 0, NULL), DISTIL_ERROR_NULL);
    EXPECT(distil_classify(session, "turn \xFF", 6, NULL, 0, &found), DISTIL_ERROR_UTF8);
    distil_session_message(session, text, sizeof text);
    EXPECT(strcmp(text, "the text is not UTF-8 from byte 5 on"), 0);
    const char *endless = "a a a a a a a a a a a a a a a a a a a a";
    EXPECT(distil_classify(session, endless, strlen(endless), NULL, 0, &found), DISTIL_ERROR_TOO_LONG);
    distil_session_message(session, text, sizeof text);
    EXPECT(strstr(text, "22 tokens") != NULL, 1);
    EXPECT(distil_tag_words(session, "a", 1, &tag, 1, &count), DISTIL_ERROR_HEAD);
    EXPECT(distil_fill_mask(session, "a", 1, &candidate, 1, &count), DISTIL_ERROR_HEAD);
    EXPECT(distil_encode_ids(session, ids, NULL, 3), DISTIL_OK);
    EXPECT(distil_encode_ids(session, ids, NULL, 0), DISTIL_ERROR_IDS);
    EXPECT(distil_encode_ids(session, wrong, NULL, 2), DISTIL_ERROR_TOKEN_ID);
    EXPECT(distil_encode_ids(session, ids, types, 3), DISTIL_ERROR_TOKEN_TYPE);
    EXPECT(distil_encode_ids(session, (uint32_t *)((char *)ids + 2), NULL, 1), DISTIL_ERROR_MISALIGNED);
    EXPECT(distil_encode(session, "turn", 4, NULL, 0, NULL), DISTIL_OK);
}

int main(int count, char **arguments) {
    FILE *from = count == 2 ? fopen(arguments[1], "rb") : NULL;
    if (from == NULL) {
        return 2;
    }
    len = fread(file, 1, sizeof file, from);
    fclose(from);
    opening_is_checked();
    questions_are_checked();
    starting_is_checked();
    sessions_are_checked();
    distil_set_panic_hook(on_panic);
    distil_test_panic();
    return 1;
}
