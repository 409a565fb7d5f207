/* Keeps two things independent of the locale that the host program has set: how numbers are written and read, and which
 * letters are equal. */
#include "base/base.h"

#include <locale.h>
#include <stdio.h>

void *ad_c_locale_enter(void) {
    const locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return plain ? (void *)uselocale(plain) : NULL;
}

void ad_c_locale_leave(void *before) {
    if (!before) return;
    const locale_t plain = uselocale((locale_t)before);
    freelocale(plain);
}

int ad_vprint(char *out, size_t size, const char *format, va_list args) {
    void *before = ad_c_locale_enter();
    const int length = vsnprintf(out, size, format, args);
    ad_c_locale_leave(before);
    return length;
}

int ad_print(char *out, size_t size, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int length = ad_vprint(out, size, format, args);
    va_end(args);
    return length;
}

bool ad_is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

char ad_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

bool ad_same_letters(const char *a, const char *b, size_t most) {
    for (size_t i = 0; i < most; i++) {
        if (ad_lower(a[i]) != ad_lower(b[i])) return false;
        if (!a[i]) return true;
    }
    return true;
}
