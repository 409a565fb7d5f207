/* JSON from files: bounded before memory is taken for it, and a lack of memory told from a mistake in the text. */
#ifndef AD_IO_JSON_H
#define AD_IO_JSON_H

#include "base/base.h"

#include <jansson.h>

enum { AD_JSON_DEPTH = 64 };

/* text[size] as a new value. BAD_DATA with error->text (and line) filled, for the caller's sentence: no JSON, a member
 * named twice, deeper than AD_JSON_DEPTH, or so many values in so few bytes that they would take more than 28 times the
 * text's memory. OUT_OF_MEMORY with a message. */
adatom_status ad_json_parse(adatom_context *ctx, const char *text, size_t size, json_t **out, json_error_t *error);

/* As text, with a point in numbers whatever the locale; free() it. NULL: out of memory. */
char *ad_json_dump(const json_t *json, size_t flags);

/* For a json_unpack_ex() that failed: OUT_OF_MEMORY with a message where it lacked memory, else OK: the text is what is
 * wrong. */
adatom_status ad_json_memory(adatom_context *ctx, const json_error_t *error);

/* A text as a value; one with bytes that are not UTF-8 (a file's name) as adatom_printable() shows it. NULL when out of
 * memory. */
json_t *ad_json_text(adatom_context *ctx, const char *text);

/* json_object_set_new() and json_array_append_new() that keep a failure in *bad: a list of them is looked at once, at
 * its end. */
static inline void ad_json_set(json_t *object, const char *key, json_t *value, bool *bad) {
    if (json_object_set_new(object, key, value) != 0) *bad = true;
}
static inline void ad_json_append(json_t *array, json_t *value, bool *bad) {
    if (json_array_append_new(array, value) != 0) *bad = true;
}
#endif
