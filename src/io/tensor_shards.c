#include "io/tensor_shards.h"

#include "io/json.h"
#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#define MOST_INDEX_BYTES ((size_t)32 << 20)
enum { MOST_SHARDS = 1024 };

adatom_status ad_tensor_shards_fill(adatom_context *ctx, ad_tensor_file *file) {
    size_t count = 0;
    for (size_t s = 0; s < file->shard_count; s++) count += file->shards[s].count;
    if (!(file->tensors = ad_calloc(ctx, count, sizeof *file->tensors))) return ADATOM_OUT_OF_MEMORY;
    for (size_t s = 0; s < file->shard_count; s++) {
        const ad_safetensors *shard = &file->shards[s];
        file->is_model |= ad_safetensors_metadata(shard, "adatom") != NULL;
        for (size_t i = 0; i < shard->count; i++)
            ad_safetensors_tensor(shard, &shard->tensors[i], &file->tensors[file->count++]);
    }
    return ad_tensor_file_sort(ctx, file);
}

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The names of the shards, each once, in their order; ad_free(*out). */
static adatom_status list_shards(adatom_context *ctx, const char *index, json_t *map, const char ***out,
                                 size_t *count) {
    const char *tensor;
    json_t *value;
    size_t all = 0;
    if (!(*out = ad_calloc(ctx, json_object_size(map), sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    json_object_foreach(map, tensor, value) {
        const char *shard = json_string_value(value);
        if (!shard || !*shard || strchr(shard, '/') || strcmp(shard, ".") == 0 || strcmp(shard, "..") == 0)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has no name of a file beside the index", index,
                           tensor);
        (*out)[all++] = shard;
    }
    qsort(*out, all, sizeof **out, by_text);
    for (size_t i = 0; i < all; i++)
        if (*count == 0 || strcmp((*out)[*count - 1], (*out)[i]) != 0) (*out)[(*count)++] = (*out)[i];
    if (*count == 0 || *count > MOST_SHARDS)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' names %zu shards; 1 to %d are read", index, *count, MOST_SHARDS);
    return ADATOM_OK;
}

/* Every tensor of the index is in its shard, and nothing else. */
static adatom_status compare(adatom_context *ctx, const char *index, json_t *map, const char *const *names,
                             const ad_tensor_file *file) {
    const char *tensor;
    json_t *value;
    for (size_t s = 0; s < file->shard_count; s++)
        for (size_t i = 0; i < file->shards[s].count; i++) {
            const char *name = file->shards[s].tensors[i].name;
            const char *shard = json_string_value(json_object_get(map, name));
            if (!shard || strcmp(shard, names[s]) != 0)
                return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' does not say that tensor '%s' is in '%s', where it is",
                               index, name, names[s]);
        }
    json_object_foreach(map, tensor, value) {
        const char *shard = json_string_value(value);
        const char *const *found = bsearch(&shard, names, file->shard_count, sizeof *names, by_text);
        const size_t s = (size_t)(found - names); /* it is one of them: list_shards() made them so */
        if (!ad_safetensors_find(&file->shards[s], tensor))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' is missing", file->paths[s], tensor);
    }
    return ADATOM_OK;
}

adatom_status ad_tensor_shards_open(adatom_context *ctx, const char *index, ad_tensor_file *out) {
    adatom_status status = ADATOM_OK;
    char *text = NULL;
    const char **names = NULL;
    size_t size = 0, count = 0;
    json_t *json = NULL;
    json_error_t error;
    const char *slash = strrchr(index, '/');
    const int folder = slash ? (int)(slash - index) + 1 : 0;
    AD_TRY(ad_read_file(ctx, index, MOST_INDEX_BYTES, &text, &size));
    status = ad_json_parse(ctx, text, size, &json, &error);
    if (status == ADATOM_BAD_DATA)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s', line %d: the index is not valid JSON: %s", index, error.line,
                       error.text));
    AD_TRY(status);
    json_t *map = json_object_get(json, "weight_map");
    if (!json_is_object(map))
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is no index of shards: it has no weight_map", index));
    AD_TRY(list_shards(ctx, index, map, &names, &count));
    out->shards = ad_calloc(ctx, count, sizeof *out->shards);
    out->paths = ad_calloc(ctx, count, sizeof *out->paths);
    if (!out->shards || !out->paths) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (size_t s = 0; s < count; s++) {
        out->shard_count++;
        if (!(out->paths[s] = ad_format(ctx, "%.*s%s", folder, index, names[s]))) AD_TRY(ADATOM_OUT_OF_MEMORY);
        AD_TRY(ad_safetensors_load(ctx, out->paths[s], out->paths[s], &out->shards[s]));
    }
    AD_TRY(compare(ctx, index, map, names, out));
    AD_TRY(ad_tensor_shards_fill(ctx, out));
done:
    json_decref(json);
    ad_free(names);
    ad_free(text);
    return status;
}
