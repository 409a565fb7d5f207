/* JSON from files. The memory that a text would take is bounded before it is parsed, and a lack of memory is told from
 * an error in the text. */
#ifndef AD_IO_JSON_H
#define AD_IO_JSON_H

#include "base/base.h"

#include <jansson.h>

enum { AD_JSON_DEPTH = 64 };

/* Parses text[size] into a new value. BAD_DATA, with error->text and error->line filled for the caller's message: not
 * JSON, a member named twice, nested deeper than AD_JSON_DEPTH, or so many values in so few bytes that they would take
 * more than 28 times the text's memory. OUT_OF_MEMORY sets the context's message. */
adatom_status ad_json_parse(adatom_context *ctx, const char *text, size_t size, json_t **out, json_error_t *error);

/* Writes JSON as text, with a decimal point in every locale; free() it. NULL: out of memory. */
char *ad_json_dump(const json_t *json, size_t flags);

/* Called after json_unpack_ex() failed. Returns OUT_OF_MEMORY, with a message, if memory was lacking; else OK: the JSON
 * is not as expected. */
adatom_status ad_json_memory(adatom_context *ctx, const json_error_t *error);

/* Makes a JSON string. A text that is not UTF-8, such as a file's name, becomes what adatom_printable() shows for it.
 * NULL: out of memory. */
json_t *ad_json_text(adatom_context *ctx, const char *text);

/* json_object_set_new() and json_array_append_new() that set *bad on failure, so that the result of many calls is
 * checked once at their end. */
static inline void ad_json_set(json_t *object, const char *key, json_t *value, bool *bad) {
    if (json_object_set_new(object, key, value) != 0) *bad = true;
}
static inline void ad_json_append(json_t *array, json_t *value, bool *bad) {
    if (json_array_append_new(array, value) != 0) *bad = true;
}
#endif
