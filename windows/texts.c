/* Locales of threads, and functions on texts that Windows' C library lacks. */
#include "wide.h"

#include <locale.h>

struct windows_locale {
    char *name;          /* of the locale to enter */
    bool was_per_thread; /* where it is the state to return to */
};
/* A thread that never entered a locale is in the program's. */
static struct windows_locale stands = {.name = "C"};

locale_t windows_newlocale(int mask, const char *name, locale_t base) {
    (void)mask;
    (void)base;
    /* Windows' C library has no locale of UTF-8; names are converted by other means. */
    if (strcmp(name, "C") == 0) return &stands;
    errno = ENOENT;
    return NULL;
}

/* Entering the C locale where the thread is in it changes nothing, and costs next to nothing. */
locale_t windows_uselocale(locale_t locale) {
    const char *now = setlocale(LC_ALL, NULL);
    if (!locale || !now) return NULL;
    if (locale == &stands && strcmp(now, "C") == 0) return &stands;
    locale_t before = calloc(1, sizeof *before);
    if (!before || !(before->name = _strdup(now))) {
        free(before);
        return NULL;
    }
    before->was_per_thread = _configthreadlocale(_ENABLE_PER_THREAD_LOCALE) == _ENABLE_PER_THREAD_LOCALE;
    setlocale(LC_ALL, locale->name);
    if (locale != &stands) {
        if (!locale->was_per_thread) _configthreadlocale(_DISABLE_PER_THREAD_LOCALE);
        free(locale->name);
        free(locale);
        free(before->name);
        free(before);
        return &stands;
    }
    return before;
}

void windows_freelocale(locale_t locale) { (void)locale; }

char *windows_stpcpy(char *to, const char *from) {
    const size_t length = strlen(from);
    memcpy(to, from, length + 1);
    return to + length;
}

char *windows_strsep(char **text, const char *separators) {
    char *begin = *text;
    if (!begin) return NULL;
    char *end = begin + strcspn(begin, separators);
    *text = *end ? end + 1 : NULL;
    *end = 0;
    return begin;
}

void *windows_memmem(const void *text, size_t size, const void *part, size_t part_size) {
    for (size_t at = 0; part_size <= size && at <= size - part_size; at++)
        if (memcmp((const char *)text + at, part, part_size) == 0) return (char *)text + at;
    return NULL;
}

char *windows_strcasestr(const char *text, const char *part) {
    const size_t length = strlen(part);
    for (; strlen(text) >= length; text++)
        if (_strnicmp(text, part, length) == 0) return (char *)text;
    return NULL;
}
