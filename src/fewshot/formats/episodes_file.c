/* Episode lists as JSON. */
#include "fewshot/episodes.h"
#include "io/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION 1
#define MAX_FILE_BYTES ((size_t)1 << 30)

static json_t *numbers(const int32_t *pictures, size_t count) {
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, json_integer(pictures[i]))) {
            json_decref(array);
            return NULL;
        }
    return array;
}

adatom_status adatom_episodes_save(const adatom_episodes *episodes, const char *path) {
    const ad_call outer = ad_call_begin(episodes->ctx, NULL, NULL);
    adatom_status status = ADATOM_OK;
    const adatom_episodes_info *info = &episodes->info;
    const size_t supports = (size_t)info->way * (size_t)info->shot, queries = (size_t)info->way * (size_t)info->query;
    char seed[24], *text = NULL;
    snprintf(seed, sizeof seed, "%llu",
             (unsigned long long)info->seed); /* as text: JSON readers keep 53 bits of a number */
    json_t *list = json_array();
    bool failed = !list;
    for (int e = 0; e < info->tasks && !failed; e++) {
        const int32_t *support = episodes->pictures + (size_t)e * ad_episode_pictures(info);
        json_t *episode = json_pack("{s:o, s:o}", "support", numbers(support, supports), "query",
                                    numbers(support + supports, queries));
        failed = json_array_append_new(list, episode);
    }
    json_t *json = json_pack("{s:i, s:i, s:i, s:i, s:i, s:s, s:b, s:s, s:s, s:o}", "format_version", FORMAT_VERSION,
                             "way", info->way, "shot", info->shot, "query", info->query, "tasks", info->tasks, "seed",
                             seed, "without_replacement", episodes->without_replacement, "dataset_hash",
                             info->dataset_hash, "hash", info->hash, "episodes", list);
    if (failed || !json || !(text = ad_json_dump(json, JSON_COMPACT)))
        status = ad_fail(episodes->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for writing '%s'", path);
    else
        status = ad_write_file(episodes->ctx, path, text, strlen(text));
    json_decref(json);
    free(text); /* jansson's */
    return ad_call_end(episodes->ctx, &outer, status);
}

typedef struct reader {
    adatom_context *ctx;
    const char *name;
    adatom_episodes *list;
    size_t images;
    int32_t *class_of;  /* [images] */
    int32_t *last_use;  /* [images] the episode it was last seen in, counted from 1 */
    int32_t *class_use; /* [classes] the same */
    int32_t *classes;   /* [way] of the current episode */
} reader;

static adatom_status read_pictures(reader *r, const json_t *array, int e, bool support, int32_t *out) {
    const adatom_episodes_info *info = &r->list->info;
    const char *what = support ? "support" : "query";
    const size_t per_class = (size_t)(support ? info->shot : info->query), count = (size_t)info->way * per_class;
    for (size_t i = 0; i < count; i++) {
        const json_t *number = json_array_get(array, i);
        const json_int_t picture = json_integer_value(number);
        if (!json_is_integer(number) || picture < 0 || (size_t)picture >= r->images)
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': episode %d, %s %zu is no picture of the data set (0 to %zu)",
                           r->name, e, what, i, r->images - 1);
        const int32_t used = r->last_use[picture], class = r->class_of[picture];
        if (used == e + 1 || (used && r->list->without_replacement))
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': picture %lld is twice in %s", r->name, (long long)picture,
                           used == e + 1 ? "one episode" : "a list without replacement");
        r->last_use[picture] = e + 1;
        if (support && i % per_class == 0) {
            if (r->class_use[class] == e + 1)
                return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': episode %d has the same class twice", r->name, e);
            r->class_use[class] = e + 1;
            r->classes[i / per_class] = class;
        }
        if (r->classes[i / per_class] != class)
            return ad_fail(r->ctx, ADATOM_BAD_DATA,
                           "'%s': episode %d, %s %zu is of another class than the episode's class %zu", r->name, e,
                           what, i, i / per_class);
        out[i] = (int32_t)picture;
    }
    return ADATOM_OK;
}

static adatom_status read_header(adatom_context *ctx, const char *name, json_t *json,
                                 const adatom_dataset_info *dataset, adatom_episodes *list, json_t **array) {
    json_error_t error;
    int replaced;
    json_int_t version, sizes[4];
    const char *seed, *dataset_hash, *hash;
    if (json_unpack_ex(json, &error, 0, "{s:I, s:I, s:I, s:I, s:I, s:s, s:b, s:s, s:s, s:o!}", "format_version",
                       &version, "way", &sizes[0], "shot", &sizes[1], "query", &sizes[2], "tasks", &sizes[3], "seed",
                       &seed, "without_replacement", &replaced, "dataset_hash", &dataset_hash, "hash", &hash,
                       "episodes", array)) {
        const adatom_status status = ad_json_memory(ctx, &error);
        return status != ADATOM_OK
                   ? status
                   : ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a list of episodes: %s", name, error.text);
    }
    if (version != FORMAT_VERSION)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has format version %lld; this program reads version %d", name,
                       (long long)version, FORMAT_VERSION);
    if (strcmp(dataset_hash, dataset->hash) != 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' was drawn from a data set with the hash '%s', not from '%s' with %s",
                       name, dataset_hash, dataset->name, dataset->hash);
    for (size_t i = 0; i < AD_COUNT(sizes); i++)
        if (sizes[i] < 1 || sizes[i] > INT32_MAX - 1)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': way, shot, query and tasks must be positive numbers", name);
    if (!json_is_array(*array) || json_array_size(*array) != (size_t)sizes[3])
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' announces %lld episodes and has %zu", name, (long long)sizes[3],
                       json_array_size(*array));
    /* Before memory is taken for what the header announces. */
    for (size_t e = 0; e < (size_t)sizes[3]; e++) {
        const json_t *episode = json_array_get(*array, e), *support = json_object_get(episode, "support"),
                     *query = json_object_get(episode, "query");
        if (json_array_size(support) != (size_t)sizes[0] * (size_t)sizes[1] ||
            json_array_size(query) != (size_t)sizes[0] * (size_t)sizes[2])
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s': episode %zu has no %lld-way lists 'support' and 'query' of %lld and %lld a class",
                           name, e, (long long)sizes[0], (long long)sizes[1], (long long)sizes[2]);
    }
    char *end = NULL;
    errno = 0;
    list->info = (adatom_episodes_info){.way = (int)sizes[0],
                                        .shot = (int)sizes[1],
                                        .query = (int)sizes[2],
                                        .tasks = (int)sizes[3],
                                        .seed = strtoull(seed, &end, 10)};
    if (seed[0] < '0' || seed[0] > '9' || *end || errno)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the seed is not a number", name);
    list->without_replacement = replaced;
    memcpy(list->info.dataset_hash, dataset->hash, sizeof dataset->hash);
    return ADATOM_OK;
}

static adatom_status read_episodes(reader *r, const adatom_dataset *dataset, const json_t *array, const char *hash) {
    adatom_status status = ADATOM_OK;
    adatom_episodes *list = r->list;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    const size_t each = ad_episode_pictures(&list->info), supports = (size_t)list->info.way * (size_t)list->info.shot;
    r->images = info.images;
    r->class_of = ad_calloc(r->ctx, info.images, sizeof *r->class_of);
    r->last_use = ad_calloc(r->ctx, info.images, sizeof *r->last_use);
    r->class_use = ad_calloc(r->ctx, (size_t)info.classes, sizeof *r->class_use);
    r->classes = ad_calloc(r->ctx, (size_t)list->info.way, sizeof *r->classes);
    if (!r->class_of || !r->last_use || !r->class_use || !r->classes) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < info.classes; c++) {
        const char *name = NULL;
        size_t first = 0, count = 0;
        AD_TRY(adatom_dataset_class(dataset, c, &name, &first, &count));
        for (size_t i = 0; i < count; i++) r->class_of[first + i] = c;
    }
    for (int e = 0; e < list->info.tasks; e++) {
        const json_t *episode = json_array_get(array, (size_t)e);
        int32_t *pictures = list->pictures + (size_t)e * each;
        AD_TRY(read_pictures(r, json_object_get(episode, "support"), e, true, pictures));
        AD_TRY(read_pictures(r, json_object_get(episode, "query"), e, false, pictures + supports));
    }
    ad_episodes_rehash(list);
    if (strcmp(list->info.hash, hash) != 0)
        status = ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s' is damaged: its pictures have the hash %s, not '%s'", r->name,
                         list->info.hash, hash);
done:
    return status;
}

adatom_status adatom_episodes_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                    const adatom_dataset *dataset, adatom_episodes **out) {
    adatom_status status = ADATOM_OK;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    json_t *json = NULL, *array = NULL;
    json_error_t error;
    reader r = {.ctx = context, .name = name};
    *out = NULL;
    adatom_episodes *list = r.list = ad_calloc(context, 1, sizeof *list);
    if (!list) return ADATOM_OUT_OF_MEMORY;
    list->ctx = context;
    adatom_dataset_describe(dataset, &info);
    status = ad_json_parse(context, text, size, &json, &error);
    if (status == ADATOM_BAD_DATA)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "'%s' line %d: not valid JSON: %s", name, error.line, error.text));
    AD_TRY(status);
    AD_TRY(read_header(context, name, json, &info, list, &array));
    if (!(list->pictures = ad_calloc(context, (size_t)list->info.tasks,
                                     ad_episode_pictures(&list->info) * sizeof *list->pictures))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    AD_TRY(read_episodes(&r, dataset, array, json_string_value(json_object_get(json, "hash"))));
    *out = list;
    list = NULL;
done:
    ad_free(r.class_of);
    ad_free(r.last_use);
    ad_free(r.class_use);
    ad_free(r.classes);
    json_decref(json);
    adatom_episodes_destroy(&list);
    return status;
}

adatom_status adatom_episodes_load(adatom_context *context, const char *path, const adatom_dataset *dataset,
                                   adatom_episodes **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    char *text = NULL;
    size_t size = 0;
    *out = NULL;
    adatom_status status = ad_read_file(context, path, MAX_FILE_BYTES, &text, &size);
    if (status == ADATOM_OK) status = adatom_episodes_parse(context, path, text, size, dataset, out);
    ad_free(text);
    return ad_call_end(context, &outer, status);
}
