/*
 * Distil: runs a packed model, from a sentence to a label, an embedding, an answer, a filled mask.
 *
 * Nothing allocates and nothing is global but the hook for panics. A model is a structure; a session lies in a buffer
 * of the caller. What a caller promises, for every function:
 * - A pointer with a length points to that many elements; other pointers point to one, or are null where that is said.
 * - A file's bytes stay where and as they are while a model, an opening or a session made from them is used. The buffer
 *   of a session is its own, and stays in its place, until it is not used any more.
 * - What a function writes to does not overlap what it reads.
 * - One session is used by one thread at a time, as is an opening; a model can be used by several.
 * Null or misaligned pointers, lengths out of bounds, invalid UTF-8, structures that were not opened, and any bytes in the
 * file are errors with a number.
 */

#ifndef DISTIL_H
#define DISTIL_H

/* Made by `cargo xtask capi header` from crates/capi; docs/c-interface.md shows how to use it. */

#include <stddef.h>
#include <stdint.h>

// It is done.
#define DISTIL_OK 0

// No error: there is more to do, call again.
#define DISTIL_MORE 3

// The file's bytes do not start at a multiple of DISTIL_ALIGNMENT.
#define DISTIL_ERROR_ALIGNMENT 10

// There are fewer bytes than a header has.
#define DISTIL_ERROR_TOO_SHORT 11

// The first bytes are not a packed model's: nothing is there, erased flash, or another file.
#define DISTIL_ERROR_NO_MODEL 12

// The file has a version that this library does not read.
#define DISTIL_ERROR_VERSION 13

// The file needs something that this library does not have.
#define DISTIL_ERROR_FLAGS 14

// The file's length is not the one in its header.
#define DISTIL_ERROR_LENGTH 15

// The file is damaged.
#define DISTIL_ERROR_CHECKSUM 16

// The file's parts are not where and what they must be.
#define DISTIL_ERROR_STRUCTURE 17

// The configuration in the file is refused.
#define DISTIL_ERROR_CONFIG 18

// A tensor in the file is refused.
#define DISTIL_ERROR_TENSOR 19

// The vocabulary in the file is refused.
#define DISTIL_ERROR_VOCABULARY 20

// The processor lacks the instruction set that was asked for.
#define DISTIL_ERROR_ISA 30

// A tensor is one that the kernels do not take.
#define DISTIL_ERROR_KERNELS 31

// The buffer is too small for the session.
#define DISTIL_ERROR_MEMORY 32

// A session cannot have so few or so many tokens.
#define DISTIL_ERROR_TOKENS 33

// The text has more tokens than the session takes.
#define DISTIL_ERROR_TOO_LONG 40

// The question leaves no room for a text.
#define DISTIL_ERROR_QUESTION 41

// A token id is not in the vocabulary.
#define DISTIL_ERROR_TOKEN_ID 42

// A segment is not one of the model's token types.
#define DISTIL_ERROR_TOKEN_TYPE 43

// There are no token ids.
#define DISTIL_ERROR_IDS 44

// The file has another head than the question needs.
#define DISTIL_ERROR_HEAD 45

// The text has no `[MASK]` to fill.
#define DISTIL_ERROR_NO_MASK 46

// An output is infinite or no number.
#define DISTIL_ERROR_NOT_FINITE 47

// The position is not one of the tokens encoded last.
#define DISTIL_ERROR_POSITION 48

// A pointer is null.
#define DISTIL_ERROR_NULL 60

// A pointer or a buffer is not aligned as its type, or DISTIL_ALIGNMENT, asks.
#define DISTIL_ERROR_MISALIGNED 61

// A length is more than DISTIL_MAX_LEN.
#define DISTIL_ERROR_TOO_LARGE 62

// The text is not UTF-8.
#define DISTIL_ERROR_UTF8 63

// The library has another version than the header that the program was compiled with.
#define DISTIL_ERROR_ABI 64

// The structure was not made by this library, or its opening is not over.
#define DISTIL_ERROR_NOT_OPEN 65

// What is to be written does not fit.
#define DISTIL_ERROR_CAPACITY 66

// An argument has a value that it cannot have.
#define DISTIL_ERROR_ARGUMENT 67

// The version of this interface: it changes whenever a program has to be compiled again.
#define DISTIL_ABI_VERSION 1

// A packed file, and the buffer of a session, start at a multiple of this many bytes.
#define DISTIL_ALIGNMENT 64

// No text, list or buffer is longer, in bytes or elements.
#define DISTIL_MAX_LEN 2147483647

// Scratch memory for a few rows at a time: the least memory, the most reading of weights.
#define DISTIL_PLAN_SMALL 0

// Scratch memory for 56 rows at a time.
#define DISTIL_PLAN_FAST 1

// Scratch memory for all rows: weights are read once.
#define DISTIL_PLAN_LARGE 2

// No head: texts become embeddings.
#define DISTIL_HEAD_EMBEDDING 0

// Words are filled in for `[MASK]`.
#define DISTIL_HEAD_MASKED_LM 1

// A text gets a label, or a score for each.
#define DISTIL_HEAD_CLASSIFICATION 2

// Every word gets a label.
#define DISTIL_HEAD_TOKEN_CLASSIFICATION 3

// A question is answered by a part of a text.
#define DISTIL_HEAD_QUESTION_ANSWERING 4

// Most results that are found in one call: they are held on the stack while they are found.
#define DISTIL_MAX_TOP 20

// A session, at the start of its buffer. The buffer is not moved or copied while it is used: parts of it refer to others.
typedef struct distil_session distil_session;

// Is given what happened, terminated by a zero, on a stack that may be near its end: it logs, and resets the device or ends
// the program. If it returns, the program is aborted; without an operating system, by an undefined instruction.
typedef void (*distil_panic_hook)(const char *message);

// What a call came to: DISTIL_OK, DISTIL_MORE, or the number of an error. docs/error-codes.md lists them.
typedef int32_t distil_status;

// An opened model: plain data, to be copied at will. It refers to the file's bytes.
typedef struct distil_model {
    // Not for the caller.
    uint64_t opaque[80];
} distil_model;

// A model that is being opened: plain data. It refers to the file's bytes.
typedef struct distil_opening {
    // Not for the caller.
    uint64_t opaque[112];
} distil_opening;

// What a model is.
typedef struct distil_model_info {
    // Bytes of the file.
    size_t file_len;
    // The checksum in the file's header.
    uint32_t checksum;
    // One of DISTIL_HEAD_...
    uint32_t head;
    // Numbers in a hidden state and in an embedding.
    uint32_t hidden;
    // Layers.
    uint32_t layers;
    // Labels of a classification; 0 for other heads.
    uint32_t labels;
    // Token ids are less.
    uint32_t vocabulary;
    // Most tokens of a session.
    uint32_t max_tokens;
} distil_model_info;

// Text in UTF-8, not terminated by a zero.
typedef struct distil_text {
    // Its first byte.
    const char *bytes;
    // Its bytes.
    size_t len;
} distil_text;

// A token of a text.
typedef struct distil_token {
    // Its number in the vocabulary.
    uint32_t id;
    // Byte of the text at which it starts.
    uint32_t start;
    // Byte after its end.
    uint32_t end;
} distil_token;

// How a session is to be.
typedef struct distil_options {
    // Most tokens of a text, `[CLS]` and `[SEP]` included.
    size_t max_tokens;
    // One of DISTIL_PLAN_...
    uint32_t plan;
    // 1: a text that is too long loses its end; 0: it is an error.
    uint32_t truncate;
} distil_options;

// Numbers inside a session's buffer: good until the session is used again.
typedef struct distil_values {
    // The first of them.
    const float *values;
    // How many they are.
    size_t len;
} distil_values;

// A classified text or token.
typedef struct distil_classification {
    // Number of the best label.
    uint32_t label;
    // Probability of the best label; 1 in a regression, which knows none.
    float probability;
    // Name of the best label, inside the file.
    struct distil_text name;
    // Raw scores, one for each label.
    struct distil_values logits;
    // What they mean: probabilities, or in a regression the scores themselves.
    struct distil_values scores;
} distil_classification;

// A word with its label.
typedef struct distil_tag {
    // Number of the label.
    uint32_t label;
    // Its probability.
    float probability;
    // Its name, inside the file.
    struct distil_text name;
    // Byte of the text at which the word starts.
    size_t start;
    // Byte after its end.
    size_t end;
} distil_tag;

// Bounds of the search for an answer.
typedef struct distil_search {
    // Most tokens of an answer.
    size_t longest;
    // Tokens that a window of a long text shares with the next one.
    size_t overlap;
} distil_search;

// An answer: whole words of the text.
typedef struct distil_answer {
    // Byte of the text at which it starts.
    size_t start;
    // Byte after its end.
    size_t end;
    // Raw score.
    float score;
    // Its share of the softmax over all answers that were possible.
    float probability;
} distil_answer;

// What came of a question, apart from the answers.
typedef struct distil_answers {
    // Answers that were written, best first.
    size_t found;
    // Windows in which the text was read.
    size_t windows;
    // Tokens of all windows.
    size_t tokens;
    // Score of there being no answer, for models that know of such questions: higher than the best answer's if there is none.
    float no_answer;
} distil_answers;

// A vocabulary entry proposed for a `[MASK]`.
typedef struct distil_candidate {
    // Its number in the vocabulary.
    uint32_t id;
    // Raw score.
    float logit;
    // Its share of the softmax over the whole vocabulary.
    float probability;
} distil_candidate;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Sets the function that is called if there is a mistake in this library, before the program ends; null for none. Whatever
// the inputs are, none is known to lead there.
void distil_set_panic_hook(distil_panic_hook hook);

// The version of this interface that the library has: the DISTIL_ABI_VERSION of its header.
uint32_t distil_abi_version(void);

// Opens a packed file and checks all of it: one pass over all bytes.
//
// `abi_version` is DISTIL_ABI_VERSION. The bytes start at a multiple of DISTIL_ALIGNMENT and are `len`, as
// distil_file_len gives them; they stay where and as they are while the model or a session of it is used. `model` may hold
// anything before. If the file is refused, it still holds what distil_model_message tells.
distil_status distil_open(uint32_t abi_version,
                          const void *bytes,
                          size_t len,
                          struct distil_model *model);

// distil_open without the pass over all bytes, in microseconds: for a file that was verified when it came to where it is.
//
// A file that would not pass distil_open does no harm, but its answers may be wrong.
distil_status distil_open_unverified(uint32_t abi_version,
                                     const void *bytes,
                                     size_t len,
                                     struct distil_model *model);

// Starts distil_open in slices, with its arguments and promises: distil_opening_step does the work. What is wrong with the
// file is said there.
distil_status distil_opening_start(uint32_t abi_version,
                                   const void *bytes,
                                   size_t len,
                                   struct distil_opening *opening);

// Looks at about `len` bytes more of a file, 64 at least. DISTIL_MORE: call again. DISTIL_OK: `model` is open. Anything
// else is why the file is refused, the same as from distil_open.
distil_status distil_opening_step(struct distil_opening *opening, size_t len, struct distil_model *model);

// Bytes that an opening has looked at, for a display of progress; 0 for what is no opening.
size_t distil_opening_done(const struct distil_opening *opening);

// How many bytes the file at the start of a region has, by its header: a region of flash is longer than the file in it.
distil_status distil_file_len(const void *region, size_t region_len, size_t *len);

// What a status means and what to do about it: one line, terminated by a zero, that stays for ever. Any number will do.
const char *distil_error_text(distil_status status);

// Writes what is known about why a file was refused, with its numbers, terminated by a zero and cut if `capacity` is too
// small; of an open model, the text of DISTIL_OK. Gives the bytes of all of it, without the zero.
size_t distil_model_message(const struct distil_model *model,
                            char *text,
                            size_t capacity);

// What a model is.
distil_status distil_info(const struct distil_model *model, struct distil_model_info *info);

// The name of a label, inside the file.
distil_status distil_label(const struct distil_model *model, uint32_t label, struct distil_text *name);

// Writes the text of a vocabulary entry, without a terminating zero, and its length; `continues` becomes 1 if it continues
// a word (such entries are written without their ##), else 0. 256 bytes are enough for any.
distil_status distil_piece(const struct distil_model *model,
                           uint32_t id,
                           char *text,
                           size_t capacity,
                           size_t *len,
                           uint32_t *continues);

// Writes the tokens of a text, `[CLS]` and `[SEP]` left out, and how many there are. DISTIL_ERROR_CAPACITY if those are more
// than `capacity`; the first of them are then written. Needs no session.
distil_status distil_tokenize(const struct distil_model *model,
                              const char *bytes,
                              size_t len,
                              struct distil_token *tokens,
                              size_t capacity,
                              size_t *count);

// How many bytes the buffer of a session of so many tokens and this plan must have; it starts at a multiple of
// DISTIL_ALIGNMENT.
distil_status distil_memory(const struct distil_model *model, size_t max_tokens, uint32_t plan_number, size_t *bytes);

// Starts a session of a model in a buffer of at least distil_memory bytes. `model` and `options` are not needed any more
// after that; the file's bytes and the buffer are, and there is nothing to close.
distil_status distil_start(const struct distil_model *model,
                           const struct distil_options *options,
                           void *buffer,
                           size_t len,
                           struct distil_session **session);

// Writes why the last call that failed on a session did, with its numbers, as distil_model_message does.
size_t distil_session_message(const struct distil_session *session, char *text, size_t capacity);

// Encodes `[CLS]` text `[SEP]`, or with a pair `[CLS]` text `[SEP]` pair `[SEP]`; `pair` may be null. `tokens`, if not null, becomes
// the number of tokens.
distil_status distil_encode(struct distil_session *session,
                            const char *bytes,
                            size_t len,
                            const char *pair,
                            size_t pair_len,
                            size_t *tokens);

// Encodes token ids as they are. `types`, if not null, are their segments, as many as ids.
distil_status distil_encode_ids(struct distil_session *session, const uint32_t *ids, const uint8_t *types, size_t len);

// A token of those encoded last, counted from `[CLS]` = 0: its id and its bytes in its text, none for `[CLS]` and `[SEP]`.
distil_status distil_encoded(struct distil_session *session,
                             size_t position,
                             struct distil_token *token);

// The hidden states of the tokens encoded last, token after token; of the first alone after `distil_classify`, and after
// `distil_embed` where the embedding is that of the first token.
distil_status distil_hidden(struct distil_session *session,
                            struct distil_values *values);

// The embedding of a text. Works with every head.
distil_status distil_embed(struct distil_session *session, const char *bytes, size_t len, struct distil_values *vector);

// Classifies a text, or a text and its pair; `pair` may be null.
distil_status distil_classify(struct distil_session *session,
                              const char *bytes,
                              size_t len,
                              const char *pair,
                              size_t pair_len,
                              struct distil_classification *result);

// Classifies one token of those encoded last with a head for tokens, whatever the token is.
distil_status distil_classify_token(struct distil_session *session,
                                    size_t position,
                                    struct distil_classification *result);

// Labels the words of a text. Writes as many as fit, and to `count` how many there are; DISTIL_ERROR_CAPACITY if those are
// more.
distil_status distil_tag_words(struct distil_session *session,
                               const char *bytes,
                               size_t len,
                               struct distil_tag *tags,
                               size_t capacity,
                               size_t *count);

// The best answers to a question in a text of any length, best first; at most DISTIL_MAX_TOP. `search` may be null: answers
// of up to 30 tokens, windows that share 128.
distil_status distil_find_answers(struct distil_session *session,
                                  const char *question,
                                  size_t question_len,
                                  const char *bytes,
                                  size_t len,
                                  const struct distil_search *search,
                                  struct distil_answer *top,
                                  size_t capacity,
                                  struct distil_answers *result);

// Fills the first `[MASK]` of a text: the best vocabulary entries, best first, at most DISTIL_MAX_TOP; `count` becomes their
// number. distil_piece has their texts.
distil_status distil_fill_mask(struct distil_session *session,
                               const char *bytes,
                               size_t len,
                               struct distil_candidate *top,
                               size_t capacity,
                               size_t *count);

// distil_fill_mask at one position of the tokens encoded last, whatever stands there.
distil_status distil_predict(struct distil_session *session,
                             size_t position,
                             struct distil_candidate *top,
                             size_t capacity,
                             size_t *count);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* DISTIL_H */
