/* Opens a model in slices and asks it everything that its head can answer. Needs no C library: it runs on bare metal.
 * Numbers are printed as their bits, so that two machines can be compared. examples/answers.rs is the same in Rust. */
#include "answers.h"

#include "distil.h"

#define SLICE 4096
#define MAX_TOKENS 32
#define MAX_TAGS 16

static const char *const TEXTS[] = {
    "lights",
    "play the [MASK]",
    "turn the kitchen lights off",
    "Play [MASK] in the living room, please!",
    "na\xc3\xafve caf\xc3\xa9 \xe4\xb8\xad\xe6\x96\x87 unbelievably",
    "",
    "no \xff UTF-8",
    "one two three four five six seven eight nine ten one two three four five six seven eight nine ten "
    "one two three four five six seven eight nine ten one two three four five six seven eight nine ten",
};
static const char CONTEXT[] = "The lights in the kitchen are on. The music in the living room is loud.";

/* A line of text in the making. */
static char line[512];
static size_t used;

static void put(const char *bytes, size_t len) {
    for (size_t i = 0; i < len && used + 1 < sizeof line; i++) {
        line[used++] = bytes[i];
    }
    line[used] = 0;
}

static size_t length(const char *text) {
    size_t len = 0;
    while (text[len] != 0) {
        len++;
    }
    return len;
}

static void word(const char *text) {
    put(text, length(text));
}

static void number(size_t value) {
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    word(" ");
    put(digits + at, sizeof digits - at);
}

static void hex(uint32_t value) {
    word(" ");
    for (int shift = 28; shift >= 0; shift -= 4) {
        put(&"0123456789abcdef"[(value >> shift) & 15], 1);
    }
}

static uint32_t bits(float value) {
    union {
        float value;
        uint32_t bits;
    } both = {.value = value};
    return both.bits;
}

/* Many numbers as one: FNV-1a over their bits. */
static uint32_t digest(distil_values values) {
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < values.len; i++) {
        hash = (hash ^ bits(values.values[i])) * 16777619u;
    }
    return hash;
}

static void (*print_line)(const char *line);

static void end_line(void) {
    print_line(line);
    used = 0;
    line[0] = 0;
}

static distil_status tokens(const distil_model *model, const char *text, size_t len) {
    distil_token found[4];
    size_t count = 0;
    distil_status status = distil_tokenize(model, text, len, found, 4, &count);
    if (status != DISTIL_OK && status != DISTIL_ERROR_CAPACITY) {
        return status;
    }
    word("tokens:");
    number(count);
    for (size_t i = 0; i < count && i < 4; i++) {
        number(found[i].id);
        number(found[i].start);
        number(found[i].end);
    }
    end_line();
    return DISTIL_OK;
}

static distil_status classify(distil_session *session, const char *text, size_t len) {
    distil_classification found;
    distil_status status = distil_classify(session, text, len, NULL, 0, &found);
    if (status == DISTIL_OK) {
        word("label:");
        number(found.label);
        word(" ");
        put(found.name.bytes, found.name.len);
        hex(bits(found.probability));
        hex(digest(found.logits));
        hex(digest(found.scores));
        end_line();
    }
    return status;
}

static distil_status tag(distil_session *session, const char *text, size_t len) {
    distil_tag tags[MAX_TAGS];
    size_t count = 0;
    distil_status status = distil_tag_words(session, text, len, tags, MAX_TAGS, &count);
    for (size_t i = 0; status == DISTIL_OK && i < count; i++) {
        word("word:");
        number(tags[i].start);
        number(tags[i].end);
        number(tags[i].label);
        word(" ");
        put(tags[i].name.bytes, tags[i].name.len);
        hex(bits(tags[i].probability));
        end_line();
    }
    return status;
}

static distil_status find_answers(distil_session *session, const char *question, size_t len) {
    distil_answer top[3];
    distil_answers found;
    distil_search search = {.longest = 8, .overlap = 4};
    distil_status status =
        distil_find_answers(session, question, len, CONTEXT, sizeof CONTEXT - 1, &search, top, 3, &found);
    if (status != DISTIL_OK) {
        return status;
    }
    word("answers:");
    number(found.found);
    number(found.windows);
    number(found.tokens);
    hex(bits(found.no_answer));
    end_line();
    for (size_t i = 0; i < found.found; i++) {
        word("answer: ");
        put(CONTEXT + top[i].start, top[i].end - top[i].start);
        hex(bits(top[i].score));
        hex(bits(top[i].probability));
        end_line();
    }
    return DISTIL_OK;
}

static distil_status fill_mask(const distil_model *model, distil_session *session, const char *text, size_t len) {
    distil_candidate top[5];
    size_t count = 0;
    distil_status status = distil_fill_mask(session, text, len, top, 5, &count);
    for (size_t i = 0; status == DISTIL_OK && i < count; i++) {
        char piece[256];
        size_t piece_len = 0;
        uint32_t continues = 0;
        /* Embeddings may have more rows than the vocabulary has entries. */
        distil_status known = distil_piece(model, top[i].id, piece, sizeof piece, &piece_len, &continues);
        word("candidate:");
        number(top[i].id);
        word(continues ? " ##" : " ");
        put(piece, known == DISTIL_OK ? piece_len : 0);
        hex(bits(top[i].logit));
        hex(bits(top[i].probability));
        end_line();
    }
    return status;
}

static distil_status ask(const distil_model *model, distil_session *session, uint32_t head, const char *text) {
    size_t len = length(text);
    distil_values values;
    distil_status status = tokens(model, text, len);
    if (status == DISTIL_OK) {
        status = distil_embed(session, text, len, &values);
    }
    if (status != DISTIL_OK) {
        return status;
    }
    word("embedding:");
    hex(digest(values));
    distil_hidden(session, &values);
    word(" hidden:");
    hex(digest(values));
    end_line();
    switch (head) {
    case DISTIL_HEAD_CLASSIFICATION:
        return classify(session, text, len);
    case DISTIL_HEAD_TOKEN_CLASSIFICATION:
        return tag(session, text, len);
    case DISTIL_HEAD_QUESTION_ANSWERING:
        return find_answers(session, text, len);
    case DISTIL_HEAD_MASKED_LM:
        return fill_mask(model, session, text, len);
    default:
        return DISTIL_OK;
    }
}

static int failed(distil_status status) {
    word("error");
    number((size_t)status);
    word(": ");
    word(distil_error_text(status));
    end_line();
    return status;
}

int answers(const void *region, size_t region_len, void *buffer, size_t buffer_len, void (*print)(const char *line),
            void (*between_slices)(void)) {
    distil_opening opening;
    distil_model model;
    distil_model_info info;
    distil_session *session;
    size_t len = 0, slices = 0;

    print_line = print;
    if (distil_file_len(region, region_len, &len) != DISTIL_OK) {
        /* Opening says the same, and more. */
        len = region_len;
    }
    distil_status status = distil_opening_start(DISTIL_ABI_VERSION, region, len, &opening);
    if (status != DISTIL_OK) {
        return failed(status);
    }
    while ((status = distil_opening_step(&opening, SLICE, &model)) == DISTIL_MORE) {
        slices++;
        between_slices();
    }
    if (status != DISTIL_OK) {
        failed(status);
        distil_model_message(&model, line, sizeof line);
        end_line();
        return status;
    }
    distil_info(&model, &info);
    word("model:");
    number(info.file_len);
    number(info.head);
    number(info.hidden);
    number(info.layers);
    number(info.labels);
    number(info.vocabulary);
    hex(info.checksum);
    word(" slices:");
    number(slices);
    end_line();

    distil_options options = {.max_tokens = MAX_TOKENS, .plan = DISTIL_PLAN_SMALL, .truncate = 0};
    status = distil_start(&model, &options, buffer, buffer_len, &session);
    if (status != DISTIL_OK) {
        return failed(status);
    }
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        word("text");
        number(i);
        end_line();
        status = ask(&model, session, info.head, TEXTS[i]);
        if (status != DISTIL_OK) {
            failed(status);
        }
    }
    /* The last text was too long: the session knows by how much. */
    distil_session_message(session, line, sizeof line);
    end_line();
    return 0;
}
