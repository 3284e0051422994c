/* Finds the functions of one of NVIDIA's libraries when they are first called.

   `cargo xtask build-cuda` puts in front of this file, for each library:
     LIBRARY              its name, for messages
     ABSENT, LACKING      the status that functions return without the library, or without the function in it
     resolve, slots       names of this library's own
     files[]              file names to look for, the best first
     functions[]          names of the functions, and what each one answers: 's'tatus, 't'ext or 'z'ero
   The trampolines (see shim.rs) jump to slots[i], and call resolve(i) while that is null. */

/* Where to look, in this order; an empty entry is the system's own search (LD_LIBRARY_PATH, then /etc/ld.so.conf).
   $NAME at the start stands for a variable, and skips the entry where that is not set. */
static const char *const places[] = {
  "$DISTIL_CUDA_LIBS",
  "",
  "$CUDA_HOME/lib64",
  "$CUDA_PATH/lib64",
  "$VIRTUAL_ENV/lib/python3*/site-packages/nvidia/*/lib",
  "$CONDA_PREFIX/lib",
  "$CONDA_PREFIX/lib/python3*/site-packages/nvidia/*/lib",
  "/usr/local/cuda/lib64",
  "/usr/local/cuda-1[23]*/lib64",
  "/opt/cuda/lib64",
  "$HOME/.local/lib/python3*/site-packages/nvidia/*/lib",
  "/usr/local/lib/python3*/{dist,site}-packages/nvidia/*/lib",
  "/usr/lib/python3*/{dist,site}-packages/nvidia/*/lib",
  "/opt/{,*/}{,.venv/,venv/}lib/python3*/site-packages/nvidia/*/lib",
  "/usr/local/nvidia/lib64",
  "/usr/lib/wsl/lib",
  "/run/opengl-driver/lib",
};

static long absent(void) { return ABSENT; }
static long lacking(void) { return LACKING; }
static long zero(void) { return 0; }
static const char *text(void) { return LIBRARY " is not on this machine"; }

static int verbose(void) {
  const char *wish = getenv("DISTIL_CUDA_VERBOSE");
  return wish && *wish && strcmp(wish, "0");
}

/* Writes the place with its variable filled in to `out`; 0 where there is no such variable or it is too long. */
static int expand(const char *place, char *out, size_t size) {
  if (*place != '$') return (size_t)snprintf(out, size, "%s", place) < size;
  const char *end = place + 1;
  while (*end && *end != '/') end++;
  char name[64];
  if ((size_t)(end - place) > sizeof name) return 0;
  memcpy(name, place + 1, end - place - 1);
  name[end - place - 1] = 0;
  const char *value = getenv(name);
  if (!value || !*value) return 0;
  return (size_t)snprintf(out, size, "%s%s", value, end) < size;
}

/* Opens the first file that fits a pattern and can be loaded. */
static void *open_matching(const char *folder, const char *file) {
  char pattern[4096];
  if ((size_t)snprintf(pattern, sizeof pattern, "%s/%s", folder, file) >= sizeof pattern) return 0;
  glob_t found;
  void *library = 0;
  if (glob(pattern, GLOB_BRACE, 0, &found) == 0) {
    for (size_t i = 0; i < found.gl_pathc && !library; i++) {
      library = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
      if (!library && verbose()) fprintf(stderr, "cuda: %s\n", dlerror());
      if (library && verbose()) fprintf(stderr, "cuda: %s is %s\n", LIBRARY, found.gl_pathv[i]);
    }
    globfree(&found);
  }
  return library;
}

/* One entry of `places`, which may have become a list of folders with colons between them. */
static void *open_in(char *folders, const char *file) {
  void *library = 0;
  char *rest = folders;
  for (char *folder; !library && (folder = strsep(&rest, ":"));) {
    if (*folder) library = open_matching(folder, file);
  }
  return library;
}

static void *open_library(void) {
  for (size_t place = 0; place < sizeof places / sizeof *places; place++) {
    for (size_t file = 0; file < sizeof files / sizeof *files; file++) {
      void *library;
      if (*places[place]) {
        char folders[4096];
        if (!expand(places[place], folders, sizeof folders)) break;
        library = open_in(folders, files[file]);
      } else {
        library = dlopen(files[file], RTLD_NOW | RTLD_LOCAL);
        if (library && verbose()) fprintf(stderr, "cuda: %s is the system's %s\n", LIBRARY, files[file]);
        if (!library && verbose()) fprintf(stderr, "cuda: %s\n", dlerror());
      }
      if (library) return library;
    }
  }
  if (verbose()) fprintf(stderr, "cuda: %s was not found (first of %zu names: %s)\n", LIBRARY, sizeof files / sizeof *files, files[0]);
  return 0;
}

__attribute__((visibility("hidden"))) void *slots[sizeof functions / sizeof *functions];

/* The address to jump to for function `i`, also stored in its slot. Any number of threads may come at once. */
__attribute__((visibility("hidden"))) void *resolve(unsigned i) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static void *library;
  static int opened;
  pthread_mutex_lock(&lock);
  if (!opened) library = open_library();
  opened = 1;
  void *address = library ? dlsym(library, functions[i].name) : 0;
  if (!address) {
    if (library) fprintf(stderr, "cuda: %s has no %s: it is older than this program needs\n", LIBRARY, functions[i].name);
    address = functions[i].answer == 't'   ? (void *)text
              : functions[i].answer == 'z' ? (void *)zero
              : library                    ? (void *)lacking
                                           : (void *)absent;
  }
  __atomic_store_n(&slots[i], address, __ATOMIC_RELEASE);
  pthread_mutex_unlock(&lock);
  return address;
}
