// Runs kernels on request, without a GPU. Reads requests from standard input until it ends; each is, in native byte order,
//   u32 length, the kernel's name; u32 x 3 grid; u32 x 3 block; u32 arguments; then for each argument u32 kind and
//   kind 0: u32 bytes, a scalar; kind 1: u64 bytes to skip, u64 bytes, a buffer's contents; kind 2: a null pointer.
// The answer to each is the contents of all buffers in order. Buffers are separate allocations, so that the address sanitizer sees
// accesses outside them.
#include "../kernels.cu"
#include "fibers.h"

thread_local Index threadIdx, blockIdx, blockDim, gridDim;

std::map<std::string, Kernel> &kernels() {
    static std::map<std::string, Kernel> all;
    return all;
}

namespace {

struct Fiber {
    Context context;
    std::vector<uint8_t> stack;
    Index index;
    bool done;
    // The barrier this thread waits for (null: none) and how often it must have opened.
    const struct Barrier *waits_for;
    uint64_t turn;
};

// Opens when all its living members have arrived.
struct Barrier {
    size_t members, arrived;
    uint64_t opened;
    void open_if_full() {
        if (arrived > 0 && arrived >= members) arrived = 0, opened++;
    }
};

std::vector<Fiber> fibers;
std::vector<Barrier> warps;
Barrier block;
Context scheduler;
size_t current;
const Kernel *running;
void *const *running_arguments;
std::vector<uint8_t> slots;

void body() {
    running->call(running_arguments);
    fibers[current].done = true;
    switch_context(fibers[current].context, scheduler);
}

void pause() {
    size_t me = current;
    switch_context(fibers[me].context, scheduler);
    threadIdx = fibers[me].index;
}

[[noreturn]] void fail(const char *what, const char *name) {
    fprintf(stderr, "emulator: %s: %s\n", name, what);
    exit(1);
}

void get(void *to, size_t bytes) {
    if (fread(to, 1, bytes, stdin) != bytes) fail("the request ends early", "request");
}

template <class T> T get() {
    T value;
    get(&value, sizeof value);
    return value;
}

extern "C" uint8_t __start_cuda_shared[], __stop_cuda_shared[];

void run_block(size_t threads, const char *name) {
    // Not a number, in either type.
    memset(__start_cuda_shared, 0xff, __stop_cuda_shared - __start_cuda_shared);
    block = {threads, 0, 0};
    warps.assign((threads + 31) / 32, {});
    for (size_t i = 0; i < threads; i++) {
        Fiber &f = fibers[i];
        f.done = false;
        f.waits_for = nullptr;
        f.index = {uint32_t(i % blockDim.x), uint32_t(i / blockDim.x % blockDim.y), uint32_t(i / blockDim.x / blockDim.y)};
        warps[i / 32].members++;
        make_context(f.context, f.stack, body);
    }
    for (size_t left = threads; left > 0;) {
        bool moved = false;
        for (size_t i = 0; i < threads; i++) {
            Fiber &f = fibers[i];
            if (f.done || (f.waits_for && f.waits_for->opened < f.turn)) continue;
            moved = true;
            current = i;
            threadIdx = f.index;
            switch_context(scheduler, f.context);
            if (!f.done) continue;
            left--;
            // A block's barrier goes on without threads that left; an exchange between lanes does not.
            if (warps[i / 32].arrived > 0) fail("a lane left while its warp exchanges", name);
            warps[i / 32].members--;
            block.members--;
            block.open_if_full();
        }
        if (!moved) fail("threads wait for each other for ever", name);
    }
}

void wait(Barrier &barrier) {
    Fiber &f = fibers[current];
    f.waits_for = &barrier;
    f.turn = barrier.opened + 1;
    barrier.arrived++;
    barrier.open_if_full();
    pause();
}

} // namespace

void __syncthreads() { wait(block); }

void warp_barrier() { wait(warps[current / 32]); }

// Two sets of slots in turn: a lane is at most one exchange ahead of its neighbours.
uint8_t *lane_slot(uint32_t lane, uint32_t set) { return slots.data() + ((current / 32 * 2 + set) * 32 + lane) * 64; }

uint32_t exchange_number() { return warps[current / 32].opened % 2; }

int main(int argc, char **argv) {
    if (argc > 1 && std::string(argv[1]) == "--list") {
        for (auto &[name, kernel] : kernels()) printf("%s\n", name.c_str());
        return 0;
    }
    uint32_t length;
    while (fread(&length, 1, 4, stdin) == 4) {
        std::string name(length, ' ');
        get(name.data(), length);
        auto found = kernels().find(name);
        if (found == kernels().end()) fail("no such kernel", name.c_str());
        gridDim = get<Index>();
        blockDim = get<Index>();
        uint32_t count = get<uint32_t>();
        if (count != found->second.sizes.size()) fail("another number of arguments", name.c_str());
        std::vector<std::pair<uint8_t *, size_t>> buffers;
        std::vector<std::vector<uint8_t>> values(count);
        std::vector<void *> arguments(count);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t kind = get<uint32_t>();
            uint8_t *pointer = nullptr;
            if (kind == 0) {
                values[i].resize(get<uint32_t>());
                get(values[i].data(), values[i].size());
            } else {
                if (kind == 1) {
                    uint64_t skip = get<uint64_t>(), bytes = get<uint64_t>();
                    // Alignment of device memory, and no slack behind it.
                    if (posix_memalign((void **)&pointer, 256, bytes ? bytes : 1)) fail("out of memory", name.c_str());
                    get(pointer, bytes);
                    buffers.push_back({pointer, bytes});
                    pointer += skip;
                }
                values[i].resize(sizeof pointer);
                memcpy(values[i].data(), &pointer, sizeof pointer);
            }
            if (values[i].size() != found->second.sizes[i]) fail("an argument of another size", name.c_str());
            arguments[i] = values[i].data();
        }
        running = &found->second;
        running_arguments = arguments.data();
        size_t threads = (size_t)blockDim.x * blockDim.y * blockDim.z;
        while (fibers.size() < threads) fibers.emplace_back().stack.resize(128 << 10);
        slots.resize((threads + 31) / 32 * 2 * 32 * 64);
        for (uint32_t z = 0; z < gridDim.z; z++)
            for (uint32_t y = 0; y < gridDim.y; y++)
                for (uint32_t x = 0; x < gridDim.x; x++) {
                    blockIdx = {x, y, z};
                    run_block(threads, name.c_str());
                }
        for (auto [pointer, bytes] : buffers) {
            fwrite(pointer, 1, bytes, stdout);
            free(pointer);
        }
        fflush(stdout);
    }
    return 0;
}
