/* Writes features: a safetensors file, or a .npy file with a list beside it. */
#include "base/half.h"
#include "io/dataset.h"
#include "io/feature_rows.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME_BYTES = 24 << 20 };

static bool ends_in(const char *path, const char *ending) {
    const size_t length = strlen(path), n = strlen(ending);
    return length > n && ad_same_letters(path + length - n, ending, SIZE_MAX);
}

bool ad_features_is_npy(const char *path) { return ends_in(path, ".npy"); }

char *ad_features_beside(adatom_context *ctx, const char *path, const char *suffix) {
    return ad_format(ctx, "%.*s%s", (int)(strlen(path) - strlen(".npy")), path, suffix);
}

uint64_t ad_features_hash(const void *numbers, size_t number_bytes, const void *labels, size_t label_bytes,
                          const char *classes, const char *pictures) {
    uint64_t hash = ad_hash(numbers, number_bytes, 0);
    if (labels) hash = ad_hash(labels, label_bytes, hash);
    if (classes) hash = ad_hash(classes, strlen(classes), hash);
    return pictures ? ad_hash(pictures, strlen(pictures), hash) : hash;
}

adatom_status adatom_features_check(adatom_context *context, const char *path) {
    adatom_status status = ADATOM_OK;
    char *list = NULL;
    if (!ad_features_is_npy(path) && !ends_in(path, ".safetensors"))
        AD_TRY(ad_fail(context, ADATOM_USAGE,
                       "'%s' ends in neither .safetensors nor .npy: the ending says how features are written", path));
    AD_TRY(ad_write_check(context, path));
    if (!ad_features_is_npy(path)) goto done;
    if (!(list = ad_features_beside(context, path, ".labels.csv"))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(ad_write_check(context, list));
done:
    ad_free(list);
    return ad_leave(context, status);
}

/* What is written, in the types of the file. */
typedef struct writing {
    adatom_context *ctx;
    const adatom_dataset *from;
    const char *path;
    adatom_dataset_info info;
    bool half, labelled;
    uint16_t *halves; /* the numbers as float16 */
    const void *numbers;
    size_t number_bytes;
    int32_t *labels; /* [images] */
} writing;

static adatom_status convert(writing *w) {
    const size_t width = (size_t)w->info.features, count = w->info.images * width;
    const float *values = adatom_dataset_features(w->from, 0);
    w->numbers = values;
    w->number_bytes = count * sizeof *values;
    if (!w->half) return ADATOM_OK;
    if (!(w->halves = ad_malloc(w->ctx, count, sizeof *w->halves))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < count; i++) {
        w->halves[i] = ad_half_from_float(values[i]);
        if (fabsf(values[i]) > AD_HALF_MAX)
            return ad_fail(w->ctx, ADATOM_BAD_DATA, "the features of '%s' hold %g, which float16 cannot: write float32",
                           adatom_dataset_path(w->from, i / width), (double)values[i]);
    }
    w->numbers = w->halves;
    w->number_bytes = count * sizeof *w->halves;
    return ADATOM_OK;
}

static adatom_status label_rows(writing *w) {
    const char *name = NULL;
    size_t first, count;
    w->labelled = true;
    if (!(w->labels = ad_calloc(w->ctx, w->info.images, sizeof *w->labels))) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < w->info.classes; c++) {
        adatom_dataset_class(w->from, c, &name, &first, &count);
        w->labelled = *name != 0;
        for (size_t i = first; i < first + count; i++) w->labels[i] = c;
    }
    return ADATOM_OK;
}

static const char *class_name(const adatom_dataset *dataset, int c) {
    const char *name = NULL;
    size_t first, count;
    adatom_dataset_class(dataset, c, &name, &first, &count);
    return name;
}

/* A JSON array of names as text (jansson's: free()); NULL: out of memory. */
static char *list_names(const writing *w, bool classes) {
    json_t *list = json_array();
    bool bad = false;
    const size_t count = classes ? (size_t)w->info.classes : w->info.images;
    for (size_t i = 0; i < count && !bad; i++)
        ad_json_append(
            list, ad_json_text(w->ctx, classes ? class_name(w->from, (int)i) : adatom_dataset_path(w->from, i)), &bad);
    char *text = bad ? NULL : ad_json_dump(list, JSON_COMPACT);
    json_decref(list);
    return text;
}

/* How long a JSON text is as a string of another one, which puts a backslash before each of its quotes and backslashes.
 */
static size_t length_as_string(const char *text) {
    size_t length = 0;
    for (; *text; text++) length += 1 + (*text == '"' || *text == '\\');
    return length;
}

static adatom_status write_safetensors(const writing *w) {
    const int64_t shape[2] = {(int64_t)w->info.images, w->info.features};
    const ad_st_entry features = {.name = AD_FEATURES_TENSOR,
                                  .rank = 2,
                                  .shape = shape,
                                  .type = w->half ? AD_ST_F16 : AD_ST_F32},
                      labels = {.name = AD_LABELS_TENSOR, .rank = 1, .shape = shape, .type = AD_ST_I32};
    /* The wider numbers come first, so that all are aligned. */
    const bool labels_first = w->half && w->labelled;
    const ad_st_entry entries[] = {labels_first ? labels : features, labels_first ? features : labels};
    char *classes = w->labelled ? list_names(w, true) : NULL, *pictures = list_names(w, false), *start = NULL, hash[17];
    bool without = false;
    /* Names that would make a header longer than programs read are left out. */
    if (pictures && length_as_string(pictures) > MOST_NAME_BYTES) {
        ad_log(w->ctx, ADATOM_LOG_WARNING,
               "'%s': the names of %zu pictures take %zu MiB and are left out; rows are in the order of the data",
               w->path, w->info.images, length_as_string(pictures) >> 20);
        free(pictures);
        pictures = NULL;
        without = true;
    }
    const size_t label_bytes = w->labelled ? w->info.images * sizeof *w->labels : 0;
    size_t size = 0;
    ad_staged staged = {.lock = -1};
    adatom_status status = ADATOM_OK;
    if ((w->labelled && !classes) || (!pictures && !without))
        AD_TRY(ad_fail(w->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the names in '%s'", w->path));
    ad_hash_hex(
        ad_features_hash(w->numbers, w->number_bytes, w->labelled ? w->labels : NULL, label_bytes, classes, pictures),
        hash);
    const char *metadata[] = {"format_version",
                              "1",
                              AD_FEATURES_NOTE,
                              w->info.origin,
                              AD_FEATURES_CLASSES,
                              classes,
                              AD_FEATURES_PICTURES,
                              pictures,
                              AD_FEATURES_HASH,
                              hash,
                              NULL};
    AD_TRY(ad_safetensors_header(w->ctx, metadata, entries, w->labelled ? 2 : 1, &start, &size));
    const ad_bytes numbers = {w->numbers, w->number_bytes}, classed = {w->labels, label_bytes};
    const ad_bytes parts[] = {{start, size}, labels_first ? classed : numbers, labels_first ? numbers : classed};
    AD_TRY(ad_write_stage_parts(w->ctx, w->path, parts, AD_COUNT(parts), &staged));
    AD_TRY(ad_write_commit(w->ctx, w->path, &staged));
done:
    free(classes);
    free(pictures);
    ad_free(start);
    return status;
}

/* A field of a CSV list in quotes. */
static void put_field(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

/* The list of rows (the C library's: free()). */
static adatom_status make_list(const writing *w, char **text, size_t *size) {
    FILE *out = open_memstream(text, size);
    if (!out) return ad_fail(w->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the list beside '%s'", w->path);
    fputs("filename,label\n", out);
    for (size_t i = 0; i < w->info.images; i++) {
        put_field(out, adatom_dataset_path(w->from, i));
        fputc(',', out);
        if (w->labelled) put_field(out, class_name(w->from, w->labels[i]));
        fputc('\n', out);
    }
    const bool whole = !ferror(out);
    if (fclose(out) == 0 && whole) return ADATOM_OK;
    return ad_fail(w->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the list beside '%s'", w->path);
}

/* Lists lose spaces around names: a list that is read back as another one is refused. */
static adatom_status check_list(const writing *w, const char *text, size_t size) {
    ad_csv csv = {0};
    adatom_status status;
    AD_TRY(ad_csv_parse_bare(w->ctx, w->path, text, size, &csv));
    for (size_t i = 0; i < w->info.images; i++) {
        const char *file = adatom_dataset_path(w->from, i),
                   *label = w->labelled ? class_name(w->from, w->labels[i]) : "";
        if (i >= csv.count || strcmp(csv.rows[i].file, file) != 0 || strcmp(csv.rows[i].label, label) != 0)
            AD_TRY(ad_fail(w->ctx, ADATOM_BAD_DATA,
                           "a list cannot keep the name of '%s' or of its class '%s': write .safetensors", file,
                           label));
    }
done:
    ad_csv_free(&csv);
    return status;
}

static adatom_status write_npy(const writing *w) {
    char header[AD_NPY_HEADER_BYTES], *text = NULL, *list = ad_features_beside(w->ctx, w->path, ".labels.csv");
    size_t size = 0;
    ad_staged array = {.lock = -1}, labels = {.lock = -1};
    adatom_status status = ADATOM_OK;
    if (!list) return ADATOM_OUT_OF_MEMORY;
    AD_TRY(make_list(w, &text, &size));
    AD_TRY(check_list(w, text, size));
    const ad_bytes parts[] = {{header, ad_npy_header(w->info.images, (size_t)w->info.features, w->half, header)},
                              {w->numbers, w->number_bytes}};
    /* Both are whole on the disk before either takes its name. */
    AD_TRY(ad_write_stage_parts(w->ctx, w->path, parts, AD_COUNT(parts), &array));
    AD_TRY(ad_write_stage(w->ctx, list, text, size, &labels));
    AD_TRY(ad_write_commit(w->ctx, list, &labels));
    AD_TRY(ad_write_commit(w->ctx, w->path, &array));
done:
    ad_write_abandon(&array);
    ad_write_abandon(&labels);
    free(text);
    ad_free(list);
    return status;
}

adatom_status adatom_features_save(const adatom_dataset *features, const char *path,
                                   const adatom_features_save_params *params) {
    adatom_context *ctx = ad_dataset_context(features);
    adatom_features_save_params p;
    writing w = {.ctx = ctx, .from = features, .path = path, .info = ADATOM_INIT(adatom_dataset_info)};
    const ad_call outer = ad_call_begin(ctx, NULL, NULL);
    adatom_status status = AD_PARAMS(ctx, adatom_features_save_params, params, &p);
    AD_TRY(status);
    adatom_dataset_describe(features, &w.info);
    if (!w.info.features)
        AD_TRY(ad_fail(ctx, ADATOM_USAGE, "'%s' holds pictures; only features are written", w.info.name));
    AD_TRY(adatom_features_check(ctx, path));
    w.half = p.half;
    AD_TRY(convert(&w));
    AD_TRY(label_rows(&w));
    status = ad_features_is_npy(path) ? write_npy(&w) : write_safetensors(&w);
done:
    ad_free(w.halves);
    ad_free(w.labels);
    return ad_call_end(ctx, &outer, status);
}
