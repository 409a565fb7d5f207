/* Names of classes and pictures: how they are shown in UTF-8 whatever their bytes are, and which of them people read as
 * one. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Bytes of the UTF-8 character at `text`; 0: there is none (overlong forms and surrogates are none either). */
static size_t character_length(const char *text, size_t size) {
    utf8proc_int32_t point;
    const utf8proc_ssize_t limit = (utf8proc_ssize_t)AD_MIN(size, 4);
    const utf8proc_ssize_t length = utf8proc_iterate((const utf8proc_uint8_t *)text, limit, &point);
    return length > 0 ? (size_t)length : 0;
}

bool ad_is_utf8(const char *text, size_t size) {
    for (size_t at = 0; at < size;) {
        if ((unsigned char)text[at] < 0x80) {
            at++;
            continue;
        }
        const size_t length = character_length(text + at, size - at);
        if (!length) return false;
        at += length;
    }
    return true;
}

size_t ad_show_name(const char *text, size_t size, char *out) {
    static const char digits[] = "0123456789ABCDEF";
    const bool whole = ad_is_utf8(text, size);
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        const unsigned char c = (unsigned char)text[at];
        const size_t length = c < 0x80 ? 1 : character_length(text + at, size - at);
        if (whole || (length && c != '%')) {
            if (out) memcpy(out + written, text + at, length);
            written += length;
            at += length;
            continue;
        }
        if (out) {
            out[written] = '%';
            out[written + 1] = digits[c >> 4];
            out[written + 2] = digits[c & 15];
        }
        written += 3;
        at++;
    }
    if (out) out[written] = 0;
    return written;
}

/* A name as decomposed code points. Folded: without case. Trimmed: without spaces at its ends, and with single spaces
 * inside. */
typedef struct form {
    int32_t *points;
    size_t length;
} form;

static adatom_status make_form(adatom_context *ctx, const char *name, bool folded, bool trimmed, form *out) {
    const utf8proc_option_t options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (folded ? UTF8PROC_CASEFOLD : 0);
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)name;
    const utf8proc_ssize_t size = (utf8proc_ssize_t)strlen(name);
    const utf8proc_ssize_t length = utf8proc_decompose(bytes, size, NULL, 0, options);
    *out = (form){0};
    out->points = ad_malloc(ctx, (size_t)AD_MAX(length, 0) + 1, sizeof *out->points);
    if (!out->points) return ADATOM_OUT_OF_MEMORY;
    if (length > 0 && utf8proc_decompose(bytes, size, out->points, length, options) == length)
        out->length = (size_t)length;
    if (!trimmed) return ADATOM_OK;
    size_t kept = 0;
    for (size_t i = 0; i < out->length; i++) {
        const int32_t point = out->points[i];
        if (point == 0x200B || point == 0xFEFF) continue; /* spaces that have no width */
        const bool space = point == '\t' || utf8proc_category(point) == UTF8PROC_CATEGORY_ZS;
        if (space && (kept == 0 || out->points[kept - 1] == ' ')) continue;
        out->points[kept++] = space ? ' ' : point;
    }
    if (kept && out->points[kept - 1] == ' ') kept--;
    out->length = kept;
    return ADATOM_OK;
}

static adatom_status same_form(adatom_context *ctx, const char *a, const char *b, bool folded, bool trimmed,
                               bool *same) {
    form x = {0}, y = {0};
    adatom_status status = make_form(ctx, a, folded, trimmed, &x);
    if (status == ADATOM_OK) status = make_form(ctx, b, folded, trimmed, &y);
    *same = status == ADATOM_OK && x.length == y.length &&
            (!x.length || !memcmp(x.points, y.points, x.length * sizeof *x.points));
    ad_free(x.points);
    ad_free(y.points);
    return status;
}

adatom_status ad_same_characters(adatom_context *ctx, const char *a, const char *b, bool *same) {
    *same = false;
    if (!ad_is_utf8(a, strlen(a)) || !ad_is_utf8(b, strlen(b))) return ADATOM_OK;
    return same_form(ctx, a, b, false, false, same);
}

/* Says how two names that read alike differ; *how stays NULL if memory is lacking. */
static adatom_status tell_difference(adatom_context *ctx, const char *a, const char *b, const char **how) {
    static const struct {
        bool folded, trimmed;
        const char *how;
    } steps[] = {{false, false, "are one name written in two Unicode forms (NFC and NFD)"},
                 {true, false, "differ only in case"},
                 {false, true, "differ only in spaces"},
                 {true, true, "differ only in case and spaces"}};
    adatom_status status = ADATOM_OK;
    *how = NULL;
    for (size_t i = 0; i < AD_COUNT(steps) && !*how && status == ADATOM_OK; i++) {
        bool same = false;
        status = same_form(ctx, a, b, steps[i].folded, steps[i].trimmed, &same);
        if (same) *how = steps[i].how;
    }
    return status;
}

typedef struct keyed {
    form key;
    int name;
} keyed;

static int compare_keys(const keyed *x, const keyed *y) {
    const size_t shared = AD_MIN(x->key.length, y->key.length);
    for (size_t i = 0; i < shared; i++)
        if (x->key.points[i] != y->key.points[i]) return x->key.points[i] < y->key.points[i] ? -1 : 1;
    return x->key.length < y->key.length ? -1 : x->key.length > y->key.length;
}

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    const int order = compare_keys(x, y);
    return order ? order : x->name - y->name;
}

static int by_second(const void *a, const void *b) {
    const ad_alike *x = a, *y = b;
    return x->second != y->second ? x->second - y->second : x->first - y->first;
}

adatom_status ad_names_alike(adatom_context *ctx, const char *const *names, int count, ad_alike **out, size_t *found) {
    adatom_status status = ADATOM_OK;
    *found = 0;
    *out = NULL;
    keyed *sorted = ad_calloc(ctx, (size_t)count, sizeof *sorted);
    *out = ad_calloc(ctx, (size_t)count, sizeof **out);
    if (!sorted || !*out) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (int i = 0; i < count; i++) {
        sorted[i].name = i;
        AD_TRY(make_form(ctx, names[i], true, true, &sorted[i].key));
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_key);
    for (int i = 1; i < count; i++) {
        if (compare_keys(&sorted[i - 1], &sorted[i]) != 0) continue;
        ad_alike *pair = &(*out)[(*found)++];
        *pair = (ad_alike){.first = sorted[i - 1].name, .second = sorted[i].name};
        AD_TRY(tell_difference(ctx, names[pair->first], names[pair->second], &pair->how));
    }
    if (*found) qsort(*out, *found, sizeof **out, by_second);
done:
    for (int i = 0; sorted && i < count; i++) ad_free(sorted[i].key.points);
    ad_free(sorted);
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        *found = 0;
    }
    return status;
}
