/* Texts on a terminal. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

/* Columns that a text of UTF-8 takes: none for marks that stand on the character before, two for East Asian wide
 * characters. */
int terminal_width(const char *text);
/* adatom_printable() into out, which is returned. */
const char *terminal_name(const char *text, char *out, size_t capacity);
/* A text with what steers a terminal escaped, as adatom_printable() does or, for JSON, as JSON does. Line ends stay. */
void terminal_put(FILE *out, const char *text, bool json);
#endif
