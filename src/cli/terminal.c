#include "terminal.h"

#include <adatom/adatom.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct range {
    uint32_t first, last;
} range;

static bool is_in(uint32_t point, const range *ranges, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (point >= ranges[i].first && point <= ranges[i].last) return true;
    return false;
}

/* The code point at text, which must be UTF-8 (as adatom_printable() makes it); *length: its bytes. */
static uint32_t decode(const char *text, size_t *length) {
    const unsigned char first = (unsigned char)*text;
    *length = first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    uint32_t point = *length == 1 ? first : first & (0x7fu >> *length);
    for (size_t i = 1; i < *length; i++) {
        if (!text[i]) {
            *length = i;
            break;
        }
        point = point << 6 | ((unsigned char)text[i] & 0x3f);
    }
    return point;
}

int terminal_width(const char *text) {
    /* none: combining marks and joiners, which take no column. wide: blocks of two columns [Unicode Standard Annex 11,
     * East Asian Width, W and F, by whole blocks]. */
    static const range none[] = {{0x300, 0x36f},   {0x483, 0x489},    {0x591, 0x5bd},   {0x64b, 0x65f},
                                 {0x93c, 0x93c},   {0x94d, 0x94d},    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},
                                 {0x200b, 0x200d}, {0x20d0, 0x20ff},  {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
                                 {0xfeff, 0xfeff}, {0xe0100, 0xe01ef}};
    static const range wide[] = {{0x1100, 0x115f},  {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xa960, 0xa97f},
                                 {0xac00, 0xd7a3},  {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},
                                 {0xffe0, 0xffe6},  {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
                                 {0x20000, 0x3fffd}};
    int columns = 0;
    for (size_t length; *text; text += length) {
        const uint32_t point = decode(text, &length);
        if (is_in(point, none, sizeof none / sizeof *none)) continue;
        columns += is_in(point, wide, sizeof wide / sizeof *wide) ? 2 : 1;
    }
    return columns;
}

const char *terminal_name(const char *text, char *out, size_t capacity) {
    adatom_printable(text, out, capacity);
    return out;
}

void terminal_put(FILE *out, const char *text, bool json) {
    char part[5], shown[32];
    for (size_t length; *text; text += length) {
        const uint32_t point = decode(text, &length);
        memcpy(part, text, length);
        part[length] = 0;
        const bool harmless = *text == '\n' || adatom_printable(part, shown, sizeof shown) == length;
        if (!harmless && json)
            fprintf(out, "\\u%04x", (unsigned)point);
        else
            fputs(harmless ? part : shown, out);
    }
}
