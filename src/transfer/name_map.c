/* The user's own names: a JSON object from names in the source to names here. */
#include "transfer/layout.h"

#include <jansson.h>
#include <string.h>

#define MAX_MAP_BYTES ((size_t)16 << 20)

adatom_status ad_name_map_read(adatom_context *ctx, const char *path, ad_name_map *out) {
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    const char *source;
    json_t *own;
    *out = (ad_name_map){0};
    if (!path) return ADATOM_OK;
    adatom_status status = ad_read_file(ctx, path, MAX_MAP_BYTES, &text, &size);
    if (status != ADATOM_OK) return status;
    json_t *json = out->json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    ad_free(text);
    if (!json) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %d: the map is not valid JSON: %s", path, error.line, error.text);
    if (!json_is_object(json)) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the map is not a JSON object of names", path);
    json_object_foreach(json, source, own) {
        const bool pattern = strchr(source, '*') != NULL;
        if (!json_is_null(own) && (pattern || !json_is_string(own)))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': '%s' must be given %s", path, source, pattern ? "null" : "a name here or null");
    }
    return ADATOM_OK;
}

void ad_name_map_clear(ad_name_map *map) {
    json_decref(map->json);
    map->json = NULL;
}

const char *ad_name_map_source(const ad_name_map *map, const ad_outer *outer) {
    const char *source;
    json_t *value;
    json_object_foreach((json_t *)map->json, source, value) {
        if (json_is_string(value) && !outer->again && strcmp(json_string_value(value), outer->own) == 0) return source;
    }
    return NULL;
}

bool ad_name_map_omits(const ad_name_map *map, const char *name) {
    const char *source;
    json_t *value;
    json_object_foreach((json_t *)map->json, source, value) {
        if (json_is_null(value) && ad_layout_matches(source, name)) return true;
    }
    return false;
}

adatom_status ad_name_map_check(adatom_context *ctx, const ad_name_map *map, const char *path, const ad_outer_list *list) {
    const char *source;
    json_t *value;
    json_object_foreach((json_t *)map->json, source, value) {
        bool known = json_is_null(value);
        for (int i = 0; i < list->count && !known; i++) known = strcmp(list->items[i].own, json_string_value(value)) == 0;
        if (!known)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': '%s' is to become '%s', but the network has no such tensor", path, source,
                           json_string_value(value));
    }
    return ADATOM_OK;
}
