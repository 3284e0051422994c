/* A Linux program: linux MODEL. The file is read into memory that starts at a multiple of 64. */
#include <stdio.h>
#include <stdlib.h>

#include "answers.h"
#include "distil.h"

#define BUFFER (4u << 20)

static void print(const char *line) {
    puts(line);
}

static void between_slices(void) {
}

static size_t rounded(size_t len) {
    return (len + DISTIL_ALIGNMENT - 1) / DISTIL_ALIGNMENT * DISTIL_ALIGNMENT;
}

int main(int count, char **arguments) {
    FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
    long len = -1;
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (len = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0) {
        fprintf(stderr, "give one file that can be read: linux MODEL\n");
        return 2;
    }
    char *bytes = aligned_alloc(DISTIL_ALIGNMENT, rounded((size_t)len + 1));
    void *buffer = aligned_alloc(DISTIL_ALIGNMENT, BUFFER);
    if (bytes == NULL || buffer == NULL || fread(bytes, 1, (size_t)len, file) != (size_t)len) {
        fprintf(stderr, "cannot read %s into memory\n", arguments[1]);
        return 2;
    }
    fclose(file);
    int code = answers(bytes, (size_t)len, buffer, BUFFER, print, between_slices);
    free(buffer);
    free(bytes);
    return code;
}
