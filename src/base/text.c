/* UTF-8, and how texts from elsewhere are made harmless for a terminal. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

size_t ad_utf8(const char *text, uint32_t *point) {
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    const unsigned char first = (unsigned char)text[0];
    const size_t length = first < 0x80       ? first != 0
                          : first >> 5 == 6  ? 2
                          : first >> 4 == 14 ? 3
                          : first >> 3 == 30 ? 4
                                             : 0;
    *point = length == 1 ? first : length ? first & (0x7fu >> length) : 0;
    for (size_t i = 1; i < length; i++) {
        const unsigned char next = (unsigned char)text[i];
        if ((next & 0xC0) != 0x80) return 0; /* the text's NUL is not a continuation byte either */
        *point = *point << 6 | (next & 0x3f);
    }
    if (*point < least[length] || *point > 0x10ffff || (*point >= 0xd800 && *point < 0xe000)) return 0;
    return length;
}

void ad_utf8_trim(char *text) {
    uint32_t point;
    size_t end = strlen(text), at = end;
    while (at > 0 && end - at < 3 && ((unsigned char)text[at - 1] & 0xC0) == 0x80) at--;
    if (at > 0 && (unsigned char)text[at - 1] >= 0xC0 && !ad_utf8(text + at - 1, &point)) text[at - 1] = 0;
}

/* C0, DEL and C1 steer terminals; the others reorder the characters around them or break the line. */
static bool is_harmful(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c || (point >= 0x200e && point <= 0x200f) ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

size_t adatom_printable(const char *text, char *out, size_t capacity) {
    size_t needed = 0;
    bool room = capacity > 0;
    if (capacity) out[0] = 0;
    while (*text) {
        char escaped[16];
        uint32_t point;
        size_t taken = ad_utf8(text, &point), length = taken;
        const char *shown = text;
        if (!taken || is_harmful(point)) {
            length = (size_t)snprintf(escaped, sizeof escaped, taken > 1 ? "\\u{%x}" : "\\x%02x",
                                      taken ? (unsigned)point : (unsigned)(unsigned char)*text);
            shown = escaped;
        }
        room = room && needed + length < capacity;
        if (room) {
            memcpy(out + needed, shown, length);
            out[needed + length] = 0;
        }
        needed += length;
        text += taken ? taken : 1;
    }
    return needed;
}
