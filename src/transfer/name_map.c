/* The user's own names: a JSON object from names in the source to names here. Looked up by halving, since both a map
 * and a file may hold hundreds of thousands of names. */
#include "io/json.h"
#include "transfer/layout.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MAP_BYTES ((size_t)16 << 20)
enum { LOOK_EVERY = 4096 };

typedef struct ad_name_pair {
    const char *source, *own; /* own NULL: left out */
    size_t length;            /* of a source that is left out: what a name must begin with */
    size_t order;             /* in the file */
} pair;

static int by_own(const void *a, const void *b) {
    const pair *x = a, *y = b;
    const int order = strcmp(x->own, y->own);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_source(const void *a, const void *b) {
    return strcmp(((const pair *)a)->source, ((const pair *)b)->source);
}

/* A text before those that it begins. */
static int by_start(const void *a, const void *b) {
    const pair *x = a, *y = b;
    const int order = memcmp(x->source, y->source, AD_MIN(x->length, y->length));
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static bool begins(const pair *p, const char *name) { return strncmp(p->source, name, p->length) == 0; }

static adatom_status fill(adatom_context *ctx, const char *path, ad_name_map *out) {
    const char *source;
    json_t *own;
    const size_t size = json_object_size(out->json);
    out->named = ad_calloc(ctx, size, sizeof *out->named);
    out->omitted = ad_calloc(ctx, size, sizeof *out->omitted);
    out->starts = ad_calloc(ctx, size, sizeof *out->starts);
    if (!out->named || !out->omitted || !out->starts) return ADATOM_OUT_OF_MEMORY;
    size_t order = 0;
    json_object_foreach((json_t *)out->json, source, own) {
        const bool pattern = strchr(source, '*') != NULL;
        const size_t length = strlen(source);
        if (!json_is_null(own) && (pattern || !json_is_string(own)))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': '%s' must be given %s", path, source,
                           pattern ? "null" : "a name here or null");
        const pair p = {.source = source, .own = json_string_value(own), .length = length - 1, .order = order++};
        if (p.own)
            out->named[out->named_count++] = p;
        else if (length && source[length - 1] == '*')
            out->starts[out->start_count++] = p;
        else
            out->omitted[out->omitted_count++] = p;
        if (order % LOOK_EVERY == 0 && ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    qsort(out->named, out->named_count, sizeof *out->named, by_own);
    qsort(out->omitted, out->omitted_count, sizeof *out->omitted, by_source);
    qsort(out->starts, out->start_count, sizeof *out->starts, by_start);
    /* Of starts that begin with each other only the shortest is needed: then the one that a name can have is the last
     * not after it. */
    size_t kept = 0;
    for (size_t i = 0; i < out->start_count; i++)
        if (kept == 0 || !begins(&out->starts[kept - 1], out->starts[i].source)) out->starts[kept++] = out->starts[i];
    out->start_count = kept;
    return ADATOM_OK;
}

adatom_status ad_name_map_read(adatom_context *ctx, const char *path, ad_name_map *out) {
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    json_t *json = NULL;
    *out = (ad_name_map){0};
    if (!path) return ADATOM_OK;
    adatom_status status = ad_read_file(ctx, path, MAX_MAP_BYTES, &text, &size);
    if (status != ADATOM_OK) return status;
    status = ad_json_parse(ctx, text, size, &json, &error);
    ad_free(text);
    out->json = json;
    if (status == ADATOM_BAD_DATA)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %d: the map is not valid JSON: %s", path, error.line,
                       error.text);
    if (status != ADATOM_OK) return status;
    if (!json_is_object(json))
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the map is not a JSON object of names", path);
    return fill(ctx, path, out);
}

void ad_name_map_clear(ad_name_map *map) {
    json_decref(map->json);
    ad_free(map->named);
    ad_free(map->omitted);
    ad_free(map->starts);
    *map = (ad_name_map){0};
}

const char *ad_name_map_source(const ad_name_map *map, const ad_outer *outer) {
    size_t first = 0;
    if (outer->again) return NULL;
    for (size_t end = map->named_count; first < end;) { /* the first that is not before it */
        const size_t middle = first + (end - first) / 2;
        if (strcmp(map->named[middle].own, outer->own) < 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first < map->named_count && strcmp(map->named[first].own, outer->own) == 0 ? map->named[first].source : NULL;
}

bool ad_name_map_omits(const ad_name_map *map, const char *name) {
    const pair key = {.source = name, .length = strlen(name)};
    size_t first = 0;
    if (map->omitted_count && bsearch(&key, map->omitted, map->omitted_count, sizeof *map->omitted, by_source))
        return true;
    for (size_t end = map->start_count; first < end;) { /* the first that is after it */
        const size_t middle = first + (end - first) / 2;
        if (by_start(&map->starts[middle], &key) <= 0)
            first = middle + 1;
        else
            end = middle;
    }
    return first > 0 && begins(&map->starts[first - 1], name);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

adatom_status ad_name_map_check(adatom_context *ctx, const ad_name_map *map, const char *path,
                                const ad_outer_list *list) {
    adatom_status status = ADATOM_OK;
    const pair *unknown = NULL;
    const char **names = ad_calloc(ctx, (size_t)list->count, sizeof *names);
    if (!names) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < list->count; i++) names[i] = list->items[i].own;
    qsort(names, (size_t)list->count, sizeof *names, by_text);
    for (size_t i = 0; i < map->named_count; i++) { /* the first in the file is told */
        const pair *p = &map->named[i];
        if (!bsearch(&p->own, names, (size_t)list->count, sizeof *names, by_text) &&
            (!unknown || p->order < unknown->order))
            unknown = p;
    }
    if (unknown)
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s': '%s' is to become '%s', but the network has no such tensor", path,
                         unknown->source, unknown->own);
    ad_free(names);
    return status;
}
