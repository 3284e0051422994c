/* What the examples have in common: some texts, and every answer to the last bit. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stddef.h>

/* Opens the model at the start of `region`, answers some texts and prints a line for everything; 0 or the number of an
 * error, as docs/error-codes.md lists them. `buffer` starts at a multiple of DISTIL_ALIGNMENT. `between_slices` is called
 * while the model is being opened: the place to feed a watchdog. */
int answers(const void *region, size_t region_len, void *buffer, size_t buffer_len, void (*print)(const char *line),
            void (*between_slices)(void));

#endif
