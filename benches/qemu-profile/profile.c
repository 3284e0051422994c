/* A plugin for QEMU's emulators: how often each translated block ran between two calls of a marker function.
 *
 *     qemu-system-... -plugin libprofile.so,out=FILE,mark=0xADDRESS
 *
 * The marker is called in pairs: where measured work begins, and where it ends. After each pair the file gets a line
 * `pair N` and one line for each block that ran in it: address, instructions, times, and the block's bytes in hex.
 * Without a marker the file gets one number when the program ends: all its instructions.
 * The few functions that are needed of QEMU's interface (version 1; QEMU 7.2 was tried) are declared here. */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct block_handle;
struct instruction_handle;
enum { OP_ADD_U64 = 0, NO_REGISTERS = 0 };

extern size_t qemu_plugin_tb_n_insns(const struct block_handle *);
extern uint64_t qemu_plugin_tb_vaddr(const struct block_handle *);
extern struct instruction_handle *qemu_plugin_tb_get_insn(const struct block_handle *, size_t);
extern const void *qemu_plugin_insn_data(const struct instruction_handle *);
extern size_t qemu_plugin_insn_size(const struct instruction_handle *);
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block_handle *));
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct block_handle *, int, void *, uint64_t);
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct block_handle *, void (*)(unsigned, void *), int, void *);

extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

struct block {
    uint64_t address, times, times_before;
    size_t instructions, length;
    uint8_t *bytes;
    struct block *next;
};

enum { SLOTS = 1 << 16 };
static struct block *table[SLOTS];
static FILE *out;
static uint64_t mark;
static unsigned marks;

/* The marker begins: every second time a pair is complete. */
static void at_mark(unsigned cpu, void *unused) {
    (void)cpu, (void)unused;
    bool end = marks++ % 2 == 1;
    if (end) fprintf(out, "pair %u\n", marks / 2 - 1);
    for (size_t slot = 0; slot < SLOTS; slot++)
        for (struct block *block = table[slot]; block; block = block->next) {
            uint64_t times = block->times - block->times_before;
            block->times_before = block->times;
            if (!end || times == 0) continue;
            fprintf(out, "%" PRIx64 " %zu %" PRIu64 " ", block->address, block->instructions, times);
            for (size_t i = 0; i < block->length; i++) fprintf(out, "%02x", block->bytes[i]);
            fputc('\n', out);
        }
    if (end) fflush(out);
}

static struct block *find(uint64_t address, const uint8_t *bytes, size_t length, size_t instructions) {
    struct block **slot = &table[(address >> 1) % SLOTS];
    for (struct block *block = *slot; block; block = block->next)
        if (block->address == address && block->length == length && !memcmp(block->bytes, bytes, length)) return block;
    struct block *block = calloc(1, sizeof *block);
    block->bytes = malloc(length);
    memcpy(block->bytes, bytes, length);
    block->address = address;
    block->length = length;
    block->instructions = instructions;
    block->next = *slot;
    *slot = block;
    return block;
}

/* QEMU has translated a block; it may do so again, in shorter pieces or after throwing its cache away. */
static void translated(plugin_id id, struct block_handle *handle) {
    (void)id;
    uint8_t bytes[8192];
    size_t length = 0, instructions = qemu_plugin_tb_n_insns(handle);
    for (size_t i = 0; i < instructions; i++) {
        struct instruction_handle *instruction = qemu_plugin_tb_get_insn(handle, i);
        size_t size = qemu_plugin_insn_size(instruction);
        if (length + size > sizeof bytes) abort(); /* a block has at most 512 instructions */
        memcpy(bytes + length, qemu_plugin_insn_data(instruction), size);
        length += size;
    }
    uint64_t address = qemu_plugin_tb_vaddr(handle);
    struct block *block = find(address, bytes, length, instructions);
    if (address == mark) qemu_plugin_register_vcpu_tb_exec_cb(handle, at_mark, NO_REGISTERS, NULL);
    qemu_plugin_register_vcpu_tb_exec_inline(handle, OP_ADD_U64, &block->times, 1);
}

/* The program has ended. */
static void ended(plugin_id id, void *unused) {
    (void)id, (void)unused;
    uint64_t all = 0;
    for (size_t slot = 0; slot < SLOTS; slot++)
        for (struct block *block = table[slot]; block; block = block->next) all += block->times * block->instructions;
    fprintf(out, "%" PRIu64 "\n", all);
    fclose(out);
}

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "out=", 4)) out = fopen(argv[i] + 4, "w");
        if (!strncmp(argv[i], "mark=", 5)) mark = strtoull(argv[i] + 5, NULL, 0);
    }
    if (!out) {
        fprintf(stderr, "profile plugin: give it out=FILE, and mark=ADDRESS for more than a number\n");
        return 1;
    }
    if (!mark) qemu_plugin_register_atexit_cb(id, ended, NULL);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
