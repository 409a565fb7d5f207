#include "io/json.h"

#include <stdio.h>
#include <string.h>

/* About how many bytes jansson takes for a value: empty arrays and objects have room for members, too. */
enum { OBJECT_BYTES = 320, ARRAY_BYTES = 144, STRING_BYTES = 88, SCALAR_BYTES = 40 };
#define FREE_BYTES ((size_t)64 << 20) /* any text may take this much */
/* The values of a text may take this many times its size: those of a file of many small tensors take 20 times, those of
 * a list of many small episodes 26 times. */
#define MOST_TIMES 28

/* Estimates, from brackets, quotes and commas alone, how many bytes the values would take; *deepest: how deep they are
 * nested. */
static size_t estimate(const char *text, size_t size, int *deepest) {
    size_t bytes = 0;
    int depth = 0;
    bool in_string = false, in_scalar = false;
    *deepest = 0;
    for (size_t i = 0; i < size && *deepest <= AD_JSON_DEPTH; i++) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
            continue;
        }
        const bool between = c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ':';
        if (c == '"') {
            in_string = true;
            bytes += STRING_BYTES;
        } else if (c == '{' || c == '[') {
            bytes += c == '{' ? OBJECT_BYTES : ARRAY_BYTES;
            depth++;
            *deepest = AD_MAX(*deepest, depth);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (!between && !in_scalar) {
            bytes += SCALAR_BYTES;
        }
        in_scalar = !between && c != '"' && c != '{' && c != '[' && c != '}' && c != ']';
    }
    return bytes;
}

adatom_status ad_json_parse(adatom_context *ctx, const char *text, size_t size, json_t **out, json_error_t *error) {
    int depth = 0;
    *out = NULL;
    *error = (json_error_t){.line = 1};
    const size_t bytes = estimate(text, size, &depth);
    if (depth > AD_JSON_DEPTH) {
        snprintf(error->text, sizeof error->text, "it is nested deeper than %d levels", AD_JSON_DEPTH);
        return ADATOM_BAD_DATA;
    }
    if (bytes > FREE_BYTES && bytes / MOST_TIMES > size) {
        snprintf(error->text, sizeof error->text,
                 "its values would take %zu MiB, which is too much for a text of %zu MiB", bytes >> 20, size >> 20);
        return ADATOM_BAD_DATA;
    }
    void *before = ad_c_locale_enter(); /* jansson fails in locales whose decimal point has several bytes */
    *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, error);
    ad_c_locale_leave(before);
    if (*out) return ADATOM_OK;
    /* Without memory jansson fails and leaves the error's text empty. */
    if (json_error_code(error) == json_error_out_of_memory || !error->text[0])
        return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory for %zu bytes of JSON", size);
    return ADATOM_BAD_DATA;
}

char *ad_json_dump(const json_t *json, size_t flags) {
    void *before = ad_c_locale_enter();
    char *text = json_dumps(json, flags);
    ad_c_locale_leave(before);
    return text;
}

adatom_status ad_json_memory(adatom_context *ctx, const json_error_t *error) {
    if (json_error_code(error) != json_error_out_of_memory) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory for looking at JSON");
}

json_t *ad_json_text(adatom_context *ctx, const char *text) {
    uint32_t point;
    const char *at = text;
    for (size_t bytes; *at && (bytes = ad_utf8(at, &point)) > 0;) at += bytes;
    if (!*at) return json_string(text);
    const size_t capacity = adatom_printable(text, NULL, 0) + 1;
    char *shown = ad_malloc(ctx, capacity, 1);
    if (shown) adatom_printable(text, shown, capacity);
    json_t *value = shown ? json_string(shown) : NULL;
    ad_free(shown);
    return value;
}
