/* HTML as text: what escapes names, and the small parts that pages are made of. Numbers have a point, since the program
 * keeps the C locale. */
#ifndef CLI_HTML_H
#define CLI_HTML_H

#include "cli.h"
#include <stdio.h>

/* Writes a text from a file, a folder or the command line so that it is text wherever it stands, in attributes, too.
 * Control characters and marks that change the direction of writing become \xNN or \u{NNNN}. */
void html_text(FILE *out, const char *text);
/* The same as an element of its own, whose direction of writing changes nothing beside it. */
void html_name(FILE *out, const char *text);
/* A cell of a table with a name; head: a heading of its row. */
void html_name_cell(FILE *out, const char *text, bool head);
/* A cell with a formatted number, which needs no escaping. */
void html_number_cell(FILE *out, const char *format, ...) ADATOM_PRINTF(2, 3);
/* The beginning of a table that scrolls by itself where the page is narrow. caption: the program's own words; class: of
 * the style sheet, or "". */
void html_table(FILE *out, const char *class, const char *caption);
/* The headings of a table, and the beginning of its body: as html_head() has them. */
void html_columns(FILE *out, const char *const *columns, unsigned texts);
/* The same with a heading: one word or two of the program's own for each column, "" for bars, which narrow pages don't
 * show; NULL ends them. The first column holds
 * names; texts: bits of others that do, too. */
void html_head(FILE *out, const char *caption, const char *const *columns, unsigned texts);
/* The bytes as the value of an attribute: data:image/png;base64,... */
void html_data(FILE *out, const char *type, const uint8_t *bytes, size_t size);
/* A word for a POSIX shell, quoted where it needs to be, so that it is one word and nothing in it is done. */
void shell_word(FILE *out, const char *word);
#endif
