/* What NVIDIA's driver answers until the program turns to cuBLAS. IMITATE_… in the environment change an answer. */

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static int wish(const char *name, int otherwise) {
  const char *value = getenv(name);
  return value ? atoi(value) : otherwise;
}

int cuInit(unsigned flags) { return (void)flags, wish("IMITATE_INIT", 0); }
int cuDriverGetVersion(int *version) { return *version = wish("IMITATE_VERSION", 13000), 0; }
int cuDeviceGetCount(int *count) { return *count = wish("IMITATE_COUNT", 1), 0; }
int cuDeviceGet(int *device, int ordinal) { return *device = ordinal, 0; }
int cuDeviceGetName(char *name, int size, int device) { return (void)device, strncpy(name, "Imitation", size), 0; }

int cuDeviceGetAttribute(int *value, int attribute, int device) {
  (void)device;
  /* 75 and 76 are the two halves of the compute capability. */
  *value = attribute == 75 ? wish("IMITATE_CAPABILITY", 9) : attribute == 76 ? 0 : 1;
  return 0;
}

int cuDevicePrimaryCtxRetain(void **context, int device) { return (void)device, *context = (void *)1, 0; }
int cuDevicePrimaryCtxRelease_v2(int device) { return (void)device, 0; }
int cuCtxSetCurrent(void *context) { return (void)context, 0; }
int cuCtxGetCurrent(void **context) { return *context = (void *)1, 0; }
int cuCtxSynchronize(void) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) { return *free = 1ul << 30, *total = 2ul << 30, 0; }
int cuStreamCreate(void **stream, unsigned flags) { return (void)flags, *stream = (void *)2, 0; }
int cuStreamSynchronize(void *stream) { return (void)stream, 0; }
int cuStreamDestroy_v2(void *stream) { return (void)stream, 0; }
