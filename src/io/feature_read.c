/* Files of features: safetensors and .npy, whoever wrote them. */
#include "io/dataset.h"
#include "io/feature_rows.h"
#include "io/json.h"
#include "io/npy.h"
#include "io/safetensors.h"

#include <jansson.h>
#include <string.h>
#include <unistd.h>

/* Everything that is open while features are read. */
typedef struct reading {
    adatom_context *ctx;
    ad_feature_rows rows;
    ad_safetensors file;
    ad_csv csv;
    json_t *classes, *pictures, *note; /* of the metadata */
    int64_t *labels;                   /* what rows.by.labels, texts, classes and pictures point to */
    const char **texts, **names, **paths;
} reading;

static void clear(reading *r) {
    ad_safetensors_clear(&r->file);
    ad_csv_free(&r->csv);
    json_decref(r->classes);
    json_decref(r->pictures);
    json_decref(r->note);
    ad_free(r->labels);
    ad_free(r->texts);
    ad_free(r->names);
    ad_free(r->paths);
}

static adatom_status take_labels(reading *r, const char *name, const ad_file_tensor *t) {
    const size_t rows = (size_t)r->rows.numbers.shape[0];
    if (t->rank != 1 || (t->type != AD_NUMBER_I32 && t->type != AD_NUMBER_I64))
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': labels are int32 or int64, [pictures]; these are not", name);
    if (t->elements != rows)
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s' has %zu labels; '%s' has features of %zu pictures", name,
                       t->elements, r->rows.by.name, rows);
    if (!(r->labels = ad_malloc(r->ctx, rows, sizeof *r->labels))) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < rows; i++) r->labels[i] = ad_file_tensor_integer(t, i);
    r->rows.by.labels = r->labels;
    return ADATOM_OK;
}

/* A list whose rows follow those of the features; without labels it only names the pictures. */
static adatom_status take_list(reading *r, const char *name, const char *text, size_t size) {
    const size_t rows = (size_t)r->rows.numbers.shape[0];
    size_t labelled = 0, bare = 0;
    adatom_status status = ad_csv_parse_bare(r->ctx, name, text, size, &r->csv);
    if (status != ADATOM_OK) return status;
    if (r->csv.count != rows)
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s' lists %zu pictures; '%s' has features of %zu", name, r->csv.count,
                       r->rows.by.name, rows);
    ad_free(r->paths);
    r->rows.by.pictures = NULL;
    r->texts = ad_calloc(r->ctx, rows, sizeof *r->texts);
    r->paths = ad_calloc(r->ctx, rows, sizeof *r->paths);
    if (!r->texts || !r->paths) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < rows; i++) {
        const ad_csv_row *row = &r->csv.rows[i];
        r->paths[i] = row->file;
        r->texts[i] = row->label;
        labelled += *row->label != 0;
        if (!*row->label) bare = row->line;
    }
    if (labelled && labelled < rows)
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s', line %zu: there is no label, and other rows have one", name,
                       bare);
    r->rows.by.pictures = r->paths;
    r->rows.by.texts = labelled ? r->texts : NULL;
    return ADATOM_OK;
}

/* Labels from elsewhere than the features' file. */
static adatom_status take_label_file(reading *r, const char *name, const void *bytes, size_t size) {
    ad_file_tensor tensor;
    if (r->rows.by.labels)
        return ad_fail(r->ctx, ADATOM_USAGE, "'%s' has labels of its own; those of '%s' contradict them",
                       r->rows.by.name, name);
    r->rows.hash = NULL; /* it is that of the pictures without these classes */
    if (!ad_npy_begins(bytes, size)) return take_list(r, name, bytes, size);
    adatom_status status = ad_npy_parse(r->ctx, name, bytes, size, &tensor);
    return status == ADATOM_OK ? take_labels(r, name, &tensor) : status;
}

/* ---- safetensors ---- */

/* A member of the metadata that is an array of names, `count` of them (0: any number); NULL in *out: it is not there.
 */
static adatom_status take_names(reading *r, const char *key, size_t count, json_t **json, const char ***out) {
    const char *text = ad_safetensors_metadata(&r->file, key);
    json_error_t error;
    json_t *one;
    size_t i;
    if (!text) return ADATOM_OK;
    adatom_status status = ad_json_parse(r->ctx, text, strlen(text), json, &error);
    if (status == ADATOM_BAD_DATA || (status == ADATOM_OK && !json_is_array(*json)))
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': its metadata '%s' is no JSON array of names", r->rows.by.name,
                       key);
    if (status != ADATOM_OK) return status;
    if (count && json_array_size(*json) != count)
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': its metadata '%s' has %zu names of %zu", r->rows.by.name, key,
                       json_array_size(*json), count);
    if (!(*out = ad_calloc(r->ctx, json_array_size(*json), sizeof **out))) return ADATOM_OUT_OF_MEMORY;
    json_array_foreach(*json, i, one) {
        if (!((*out)[i] = json_string_value(one)) || strlen((*out)[i]) != json_string_length(one))
            return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': its metadata '%s' is no JSON array of names",
                           r->rows.by.name, key);
    }
    return ADATOM_OK;
}

static bool is_hash(const char *text) { return text && strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16; }

/* What the file says of its network and pictures, as long as nobody changed its numbers. */
static adatom_status take_note(reading *r, const ad_file_tensor *numbers, const ad_file_tensor *labels) {
    const char *text = ad_safetensors_metadata(&r->file, AD_FEATURES_NOTE),
               *expected = ad_safetensors_metadata(&r->file, AD_FEATURES_HASH),
               *classes = ad_safetensors_metadata(&r->file, AD_FEATURES_CLASSES),
               *pictures = ad_safetensors_metadata(&r->file, AD_FEATURES_PICTURES);
    json_error_t error;
    char hash[17];
    if (!text) return ADATOM_OK;
    adatom_status status = ad_json_parse(r->ctx, text, strlen(text), &r->note, &error);
    if (status != ADATOM_OK && status != ADATOM_BAD_DATA) return status;
    const char *model = json_string_value(json_object_get(json_object_get(r->note, "base_model"), "hash"));
    const char *dataset = json_string_value(json_object_get(json_object_get(r->note, "dataset"), "hash"));
    if (status == ADATOM_BAD_DATA || !is_hash(model) || !is_hash(dataset) || !is_hash(expected))
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': its metadata '" AD_FEATURES_NOTE "' is damaged",
                       r->rows.by.name);
    const size_t size = ad_file_tensor_bytes(numbers), label_size = labels ? ad_file_tensor_bytes(labels) : 0;
    ad_hash_hex(ad_features_hash(numbers->data, size, labels ? labels->data : NULL, label_size, classes, pictures),
                hash);
    if (strcmp(hash, expected) != 0) {
        ad_log(r->ctx, ADATOM_LOG_WARNING,
               "'%s': its numbers, labels or names were changed since its metadata was written: what network and "
               "pictures the features are of is not known",
               r->rows.by.name);
        return ADATOM_OK;
    }
    r->rows.origin = text;
    r->rows.model_hash = model;
    r->rows.hash = dataset;
    return ADATOM_OK;
}

static adatom_status take_safetensors(reading *r) {
    const ad_st_tensor *features = ad_safetensors_find(&r->file, AD_FEATURES_TENSOR),
                       *labels = ad_safetensors_find(&r->file, AD_LABELS_TENSOR);
    ad_file_tensor numbers;
    adatom_status status = ADATOM_OK;
    if (!features)
        return ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s' has no tensor '" AD_FEATURES_TENSOR "' [pictures, numbers]%s",
                       r->rows.by.name, ad_safetensors_metadata(&r->file, "adatom") ? ", but is a model" : "");
    ad_safetensors_tensor(&r->file, features, &r->rows.numbers);
    AD_TRY(ad_feature_rows_check(r->ctx, r->rows.by.name, &r->rows.numbers));
    if (labels) {
        ad_safetensors_tensor(&r->file, labels, &numbers);
        AD_TRY(take_labels(r, r->rows.by.name, &numbers));
        AD_TRY(take_names(r, AD_FEATURES_CLASSES, 0, &r->classes, &r->names));
        r->rows.by.classes = r->names;
        r->rows.by.class_count = json_array_size(r->classes);
        if (r->names && r->rows.by.class_count == 0)
            AD_TRY(ad_fail(r->ctx, ADATOM_BAD_DATA, "'%s': its metadata '" AD_FEATURES_CLASSES "' names no class",
                           r->rows.by.name));
    }
    AD_TRY(take_names(r, AD_FEATURES_PICTURES, (size_t)r->rows.numbers.shape[0], &r->pictures, &r->paths));
    r->rows.by.pictures = r->paths;
    AD_TRY(take_note(r, &r->rows.numbers, labels ? &numbers : NULL));
done:
    return status;
}

static adatom_status take_npy(reading *r, const void *bytes, size_t size) {
    adatom_status status = ad_npy_parse(r->ctx, r->rows.by.name, bytes, size, &r->rows.numbers);
    return status == ADATOM_OK ? ad_feature_rows_check(r->ctx, r->rows.by.name, &r->rows.numbers) : status;
}

/* ---- files ---- */

static adatom_status refuse(adatom_context *ctx, const char *name, const void *start, size_t size) {
    const char *what = ad_sniff(start, size);
    const bool archive = what && strstr(what, "archive");
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is neither safetensors nor .npy, but %s%s", name,
                   what ? what : "something unknown",
                   archive ? " (of an .npz, save the one array with numpy.save)" : "");
}

static bool begins_safetensors(const char *start, size_t size) { return size >= 9 && start[8] == '{'; }

/* The file with the labels of X.npy beside it; ad_free(*out), NULL: there is none. */
static adatom_status find_beside(adatom_context *ctx, const char *path, char **out) {
    char *list = ad_features_beside(ctx, path, ".labels.csv"), *array = ad_features_beside(ctx, path, ".labels.npy");
    adatom_status status = list && array ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    const bool has_list = list && access(list, F_OK) == 0, has_array = array && access(array, F_OK) == 0;
    *out = NULL;
    if (status == ADATOM_OK && has_list && has_array) {
        status = ad_fail(ctx, ADATOM_BAD_DATA, "beside '%s' are both '%s' and '%s'; name the one with its labels", path,
                         list, array);
    } else if (status == ADATOM_OK && (has_list || has_array)) {
        *out = has_list ? list : array;
        if (has_list)
            list = NULL;
        else
            array = NULL;
    }
    ad_free(list);
    ad_free(array);
    return status;
}

adatom_status adatom_features_load(adatom_context *context, const char *path, const adatom_features_load_params *params,
                                   adatom_dataset **out) {
    adatom_features_load_params p;
    reading r = {.ctx = context, .rows = {.by = {.name = path}}};
    char start[512], *bytes = NULL, *label_bytes = NULL, *beside = NULL;
    size_t size = 0, label_size = 0;
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_features_load_params, params, &p);
    const ad_call outer = ad_call_begin(context, p.progress, p.user);
    AD_TRY(status);
    size = ad_read_start(path, start, sizeof start);
    const bool npy = ad_npy_begins(start, size);
    if (npy) {
        AD_TRY(ad_read_long_file(context, path, (size_t)AD_ST_MOST_BYTES, &bytes, &size));
        AD_TRY(take_npy(&r, bytes, size));
    } else {
        if (size && !begins_safetensors(start, size)) AD_TRY(refuse(context, path, start, size));
        AD_TRY(ad_safetensors_load(context, path, path, &r.file));
        AD_TRY(take_safetensors(&r));
    }
    if (!p.labels && npy && ad_features_is_npy(path)) AD_TRY(find_beside(context, path, &beside));
    const char *labels = p.labels ? p.labels : beside;
    if (labels) {
        AD_TRY(ad_read_long_file(context, labels, AD_CSV_MAX_BYTES, &label_bytes, &label_size));
        AD_TRY(take_label_file(&r, labels, label_bytes, label_size));
    }
    AD_TRY(ad_feature_rows_wrap(context, &r.rows, out));
done:
    clear(&r);
    ad_free(bytes);
    ad_free(label_bytes);
    ad_free(beside);
    return ad_call_end(context, &outer, status);
}

adatom_status adatom_features_parse(adatom_context *context, const adatom_feature_files *files, adatom_dataset **out) {
    adatom_feature_files f;
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    reading r = {.ctx = context};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_feature_files, files, &f);
    AD_TRY(status);
    if (!f.bytes) AD_TRY(ad_fail(context, ADATOM_USAGE, "there are no features to read"));
    r.rows.by.name = f.name ? f.name : "features";
    if (ad_npy_begins(f.bytes, f.bytes_size)) {
        AD_TRY(take_npy(&r, f.bytes, f.bytes_size));
    } else {
        if (f.bytes_size && !begins_safetensors(f.bytes, f.bytes_size))
            AD_TRY(refuse(context, r.rows.by.name, f.bytes, f.bytes_size));
        AD_TRY(ad_safetensors_parse(context, r.rows.by.name, f.bytes, f.bytes_size, &r.file));
        AD_TRY(take_safetensors(&r));
    }
    if (f.labels) AD_TRY(take_label_file(&r, "labels", f.labels, f.labels_size));
    AD_TRY(ad_feature_rows_wrap(context, &r.rows, out));
done:
    clear(&r);
    return ad_call_end(context, &outer, status);
}
