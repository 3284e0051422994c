/* ONNX Runtime on one text, again and again: to be run in an emulator that counts instructions.
 *
 *     onnx_runtime_count LIBRARY MODEL.onnx TOKENS TIMES
 *
 * What one call costs is the difference between two numbers of times. The C interface of ONNX Runtime is one table of
 * functions whose order never changes; the places of those that are needed are given here. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef void *status;
typedef struct { const void *const *(*api)(uint32_t version); const char *(*version)(void); } base;

enum {
    GET_ERROR_MESSAGE = 2, CREATE_ENV = 3, CREATE_SESSION = 7, RUN = 9, CREATE_SESSION_OPTIONS = 10,
    SET_INTRA_OP_THREADS = 24, SET_INTER_OP_THREADS = 25, CREATE_TENSOR_WITH_DATA = 49, GET_TENSOR_DATA = 51,
    CREATE_CPU_MEMORY_INFO = 69, RELEASE_VALUE = 96,
};
enum { WARNING = 2, DEVICE_ALLOCATOR = 0, DEFAULT_MEMORY = 0, INT64 = 7 };

static const void *const *api;

static void check(status failed, const char *what) {
    if (!failed) return;
    fprintf(stderr, "%s: %s\n", what, ((const char *(*)(status))api[GET_ERROR_MESSAGE])(failed));
    exit(1);
}
/* Calls function number `n` of the table, whose arguments have these types. */
#define CALL(n, types, ...) check(((status(*) types)api[n])(__VA_ARGS__), #n)

int main(int argc, char **argv) {
    if (argc != 5) return fprintf(stderr, "usage: onnx_runtime_count LIBRARY MODEL.onnx TOKENS TIMES\n"), 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    const base *(*get)(void) = (const base *(*)(void))dlsym(library, "OrtGetApiBase");
    api = get ? get()->api(1) : NULL;
    if (!api) return fprintf(stderr, "%s is not ONNX Runtime\n", argv[1]), 1;
    int64_t tokens = atoll(argv[3]), shape[2] = {1, tokens};
    int times = atoi(argv[4]);

    void *env, *options, *session, *memory, *inputs[2];
    CALL(CREATE_ENV, (int, const char *, void **), WARNING, "count", &env);
    CALL(CREATE_SESSION_OPTIONS, (void **), &options);
    CALL(SET_INTRA_OP_THREADS, (void *, int), options, 1);
    CALL(SET_INTER_OP_THREADS, (void *, int), options, 1);
    CALL(CREATE_SESSION, (void *, const char *, void *, void **), env, argv[2], options, &session);
    CALL(CREATE_CPU_MEMORY_INFO, (int, int, void **), DEVICE_ALLOCATOR, DEFAULT_MEMORY, &memory);

    int64_t *ids = malloc(tokens * sizeof *ids), *mask = malloc(tokens * sizeof *mask);
    for (int64_t i = 0; i < tokens; i++) ids[i] = i * 7919 % 30522, mask[i] = 1;
    int64_t *data[2] = {ids, mask};
    for (int i = 0; i < 2; i++)
        CALL(CREATE_TENSOR_WITH_DATA, (void *, void *, size_t, const int64_t *, size_t, int, void **), memory, data[i],
             tokens * sizeof **data, shape, 2, INT64, &inputs[i]);
    const char *names[2] = {"input_ids", "attention_mask"}, *outputs[1] = {"logits"};
    for (int i = 0; i < times; i++) {
        void *logits = NULL;
        float *values;
        CALL(RUN, (void *, void *, const char *const *, void *const *, size_t, const char *const *, size_t, void **),
             session, NULL, names, (void *const *)inputs, 2, outputs, 1, &logits);
        CALL(GET_TENSOR_DATA, (void *, void **), logits, (void **)&values);
        if (i == 0) printf("ONNX Runtime %s, logits %f %f\n", get()->version(), values[0], values[1]);
        ((void (*)(void *))api[RELEASE_VALUE])(logits);
    }
    return 0;
}
