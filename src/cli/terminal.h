/* Widths and escaping of texts on a terminal. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* How many columns a UTF-8 text takes: combining marks take none, wide East Asian characters two. */
int terminal_width(const char *text);
/* Writes adatom_printable(text) to out, and returns out. */
const char *terminal_name(const char *text, char *out, size_t capacity);
/* Writes a text to `out` with everything that steers a terminal escaped: as adatom_printable() does or, with json, as
 * JSON does. Line ends stay. */
void terminal_put(FILE *out, const char *text, bool json);
#endif
