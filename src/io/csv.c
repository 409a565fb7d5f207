/* Parses `filename,label` lists, the form of miniImageNet's published splits. */
#include "io/dataset.h"

#include <string.h>
#include <utf8proc.h>

/* How many bytes the space at `text` takes; 0: there is no space. Counts Unicode's spaces, too, some without any width,
 * since spreadsheets and input methods write them. */
static size_t space_length(const char *text, size_t size) {
    utf8proc_int32_t point = 0;
    if (size && strchr(" \t\r", *text)) return 1;
    if (!size || (unsigned char)*text < 0x80) return 0;
    const utf8proc_ssize_t length =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)AD_MIN(size, 4), &point);
    const bool is_space =
        length > 0 && (utf8proc_category(point) == UTF8PROC_CATEGORY_ZS || point == 0x200B || point == 0xFEFF);
    return is_space ? (size_t)length : 0;
}

/* Cuts the spaces off both ends, so that "oak" and "oak " are one class. */
static char *trim(char *text) {
    size_t length = strlen(text), start = 0, end = 0; /* end: just behind the last character that is no space */
    for (size_t n; (n = space_length(text + start, length - start)) > 0;) start += n;
    for (size_t at = start; at < length;) {
        const size_t n = space_length(text + at, length - at);
        at += n ? n : 1;
        if (!n) end = at;
    }
    text[AD_MAX(end, start)] = 0;
    return text + start;
}

/* Reads one field in place, without the spaces before it and its quotes, and ends it with a NUL. *at moves behind the
 * separator; *ends_row tells whether that was the line's end. Returns NULL if a quote is not closed or text follows the
 * closing quote. */
static char *next_field(char *text, size_t size, size_t *at, size_t *line, bool *ends_row) {
    while (*at < size && (text[*at] == ' ' || text[*at] == '\t')) ++*at;
    size_t i = *at, written = i;
    char *field = text + i;
    bool quoted = i < size && text[i] == '"';
    if (quoted) {
        for (i++;; i++) {
            if (i >= size) return NULL;
            if (text[i] == '"' && (i + 1 >= size || text[i + 1] != '"')) break;
            if (text[i] == '"') i++;
            if (text[i] == '\n') ++*line;
            text[written++] = text[i];
        }
        i++;
        while (i < size && (text[i] == ' ' || text[i] == '\t')) i++;
        if (i < size && text[i] == '\r') i++;
        if (i < size && text[i] != ',' && text[i] != '\n') return NULL;
    } else {
        while (i < size && text[i] != ',' && text[i] != '\n') text[written++] = text[i++];
        if (written > *at && text[written - 1] == '\r' && (i >= size || text[i] == '\n')) written--;
    }
    *ends_row = i >= size || text[i] == '\n';
    if (i < size && text[i] == '\n') ++*line;
    *at = AD_MIN(i + 1, size);
    text[written] = 0;
    return field;
}

/* bare: rows need no label. */
static adatom_status parse_rows(adatom_context *ctx, size_t size, bool bare, ad_csv *csv) {
    enum { NONE = -1 };
    char *text = csv->text;
    size_t at = 0, line = 1, capacity = 0;
    int file_column = NONE, label_column = NONE;
    if (size >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) at = 3;
    for (bool header = true; at < size || header; header = false) {
        size_t row_line = line;
        const char *file = NULL, *label = NULL, *first_heading = NULL;
        bool ends_row = false, blank = false;
        for (int column = 0; !ends_row; column++) {
            char *field = next_field(text, size, &at, &line, &ends_row);
            if (!field)
                return ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %zu: a quoted field isn't closed properly", csv->name,
                               row_line);
            blank = column == 0 && ends_row && !*trim(field);
            if (header) {
                field = trim(field);
                if (column == 0) first_heading = field;
                if (ad_same_letters(field, "filename", SIZE_MAX)) file_column = column;
                if (ad_same_letters(field, "label", SIZE_MAX)) label_column = column;
            }
            if (column == file_column) file = field;
            if (column == label_column) label = trim(field);
        }
        if (header && (file_column == NONE || label_column == NONE)) {
            const char *what = ad_sniff(text, size);
            const bool is_list = (!what || !strcmp(what, "a text file")) && first_heading && *first_heading;
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s' %s%s: the first line must name the columns 'filename' and 'label', with a comma "
                           "between them%s%.40s%s",
                           csv->name, what ? "is " : "isn't a list of pictures", what ? what : "",
                           is_list ? ", and begins with '" : "", is_list ? first_heading : "", is_list ? "'" : "");
        }
        if (header || blank) continue;
        if (!file || !*file)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %zu: there is no file name", csv->name, row_line);
        if (!label) label = "";
        if (!*label && !bare)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %zu: '%s' has no label", csv->name, row_line, file);
        if (csv->count == capacity) {
            size_t grown = capacity ? 2 * capacity : 256;
            ad_csv_row *rows = ad_realloc(ctx, csv->rows, capacity, grown, sizeof *rows);
            if (!rows) return ADATOM_OUT_OF_MEMORY;
            csv->rows = rows;
            capacity = grown;
        }
        csv->rows[csv->count++] = (ad_csv_row){file, label, row_line};
    }
    return csv->count ? ADATOM_OK : ad_fail(ctx, ADATOM_BAD_DATA, "'%s' lists no pictures", csv->name);
}

static adatom_status parse(adatom_context *ctx, const char *name, const char *text, size_t size, bool bare,
                           ad_csv *out) {
    *out = (ad_csv){0};
    if (size && memchr(text, 0, size)) {
        const char *what = ad_sniff(text, size);
        if (size >= 2 && (!memcmp(text, "\xFF\xFE", 2) || !memcmp(text, "\xFE\xFF", 2)))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is text in UTF-16, not a CSV list: save it as UTF-8", name);
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is %s, not a CSV list", name, what ? what : "a binary file");
    }
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    out->name = ad_strdup(ctx, name);
    out->text = ad_malloc(ctx, size + 1, 1);
    if (!out->name || !out->text) goto done;
    if (size) memcpy(out->text, text, size);
    out->text[size] = 0;
    /* Old Macs, and some programs, end lines with CR alone. */
    if (!strchr(out->text, '\n'))
        for (char *end = out->text; (end = strchr(end, '\r'));) *end = '\n';
    status = parse_rows(ctx, size, bare, out);
done:
    if (status != ADATOM_OK) ad_csv_free(out);
    return status;
}

adatom_status ad_csv_parse(adatom_context *ctx, const char *name, const char *text, size_t size, ad_csv *out) {
    return parse(ctx, name, text, size, false, out);
}

adatom_status ad_csv_parse_bare(adatom_context *ctx, const char *name, const char *text, size_t size, ad_csv *out) {
    return parse(ctx, name, text, size, true, out);
}

void ad_csv_free(ad_csv *csv) {
    ad_free(csv->name);
    ad_free(csv->text);
    ad_free(csv->rows);
    *csv = (ad_csv){0};
}
