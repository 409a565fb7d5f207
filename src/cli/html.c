#include "html.h"
#include "report.h"

#include <stdarg.h>
#include <string.h>

static void escape(FILE *out, const char *text) {
    for (; *text; text++) switch (*text) {
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '&': fputs("&amp;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc(*text, out);
        }
}

void html_text(FILE *out, const char *text) {
    enum { PART = 256 };
    char part[PART + 1], shown[4 * PART + 8]; /* a byte becomes four at most: \xNN */
    for (size_t length; text && *text; text += length) {
        length = report_cut(text, PART);
        if (length == 0) length = strnlen(text, PART); /* no UTF-8, whose bytes are shown one by one */
        memcpy(part, text, length);
        part[length] = 0;
        adatom_printable(part, shown, sizeof shown);
        escape(out, shown);
    }
}

void html_name(FILE *out, const char *text) {
    fputs("<bdi>", out);
    html_text(out, text && *text ? text : "-");
    fputs("</bdi>", out);
}

void html_name_cell(FILE *out, const char *text, bool head) {
    fputs(head ? "<th scope=\"row\">" : "<td class=\"t\">", out);
    html_name(out, text);
    fputs(head ? "</th>" : "</td>", out);
}

void html_number_cell(FILE *out, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("<td>", out);
    vfprintf(out, format, args);
    fputs("</td>", out);
    va_end(args);
}

void html_table(FILE *out, const char *class, const char *caption) {
    fprintf(out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table%s%s%s>"
            "<caption><span>%s</span></caption>\n",
            caption, *class ? " class=\"" : "", class, *class ? "\"" : "", caption);
}

void html_columns(FILE *out, const char *const *columns, unsigned texts) {
    fputs("<thead><tr>", out);
    for (size_t c = 0; columns[c]; c++)
        if (!*columns[c])
            fputs("<td class=\"b\"></td>", out);
        else
            fprintf(out, "<th scope=\"col\"%s>%s</th>", c == 0 || texts >> c & 1 ? " class=\"t\"" : "", columns[c]);
    fputs("</tr></thead>\n<tbody>\n", out);
}

void html_head(FILE *out, const char *caption, const char *const *columns, unsigned texts) {
    html_table(out, "", caption);
    html_columns(out, columns, texts);
}

static void put_base64(FILE *out, const uint8_t *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) { /* three bytes are four digits [RFC 4648, 4] */
        const size_t left = size - i;
        const uint32_t three =
            (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        fputc(digits[three >> 18], out);
        fputc(digits[three >> 12 & 63], out);
        fputc(left > 1 ? digits[three >> 6 & 63] : '=', out);
        fputc(left > 2 ? digits[three & 63] : '=', out);
    }
}

void html_data(FILE *out, const char *type, const uint8_t *bytes, size_t size) {
    fprintf(out, "data:%s;base64,", type);
    put_base64(out, bytes, size);
}

void shell_word(FILE *out, const char *word) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@%";
    if (*word && word[strspn(word, plain)] == 0) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++)
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    fputc('\'', out);
}
