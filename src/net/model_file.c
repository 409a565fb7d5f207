/* Model files: safetensors with the network's description in the metadata. */
#include "base/half.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "net/network.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_VERSION "1"
#define MAX_RESIZE 4096
#define BASE_MEAN "base_mean" /* [features], where it is known */

/* The description as JSON text (jansson's: free()); NULL when out of memory. */
static char *describe(const adatom_model *model) {
    const adatom_model_params *p = &model->net.made_from;
    const float *mean = model->mean, *std = model->std;
    const bool grouped = p->group > 0, foreign = model->origin.layout[0] != 0, usual = ad_network_usual(p);
    json_t *group = grouped ? json_integer(p->group) : NULL;
    json_t *epsilon = usual ? NULL : json_real((double)p->norm_epsilon);
    json_t *origin = !foreign ? NULL
                              : json_pack("{s:s, s:s, s:s}", "layout", model->origin.layout, "prefix",
                                          model->origin.prefix, "head_prefix", model->origin.head_prefix);
    const bool bad = (grouped && !group) || (foreign && !origin) ||
                     (!usual && !epsilon); /* what is left out below is not there, and no failure */
    /* A file without an interpolation means fast-bilinear. */
    const char *interpolation = model->interpolation == ADATOM_INTERPOLATION_FAST_BILINEAR
                                    ? NULL
                                    : adatom_interpolation_name(model->interpolation);
    json_t *json = json_pack(
        "{s:s, s:s, s:i, s:o*, s:i, s:i, s:s*, s:i, s:i, s:b, s:b, s:s*, s:s*, s:o*, s:o*, "
        "s:[f, f, f], s:[f, f, f]}",
        "arch", p->arch, "sharing", adatom_sharing_name(p->sharing), "atoms", p->atoms, "group", group, "image_size",
        p->image_size, "resize", model->resize, "interpolation", interpolation, "width", p->width, "classes",
        p->classes, "decompose_first", p->decompose_first, "residual", p->residual, "stem",
        p->stem ? adatom_stem_name(p->stem) : NULL, "padding", usual ? NULL : adatom_padding_name(p->padding),
        "norm_epsilon", epsilon, "origin", origin, "mean", mean[0], mean[1], mean[2], "std", std[0], std[1], std[2]);
    if (bad) {
        json_decref(json);
        json = NULL;
    }
    char *text =
        json ? ad_json_dump(json, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL; /* 9 digits give back a float */
    json_decref(json);
    return text;
}

bool ad_param_halved(const ad_param *param) {
    return param->kind == AD_PARAM_ATOMS || param->kind == AD_PARAM_COEFFICIENTS || param->kind == AD_PARAM_KERNEL ||
           param->kind == AD_PARAM_HEAD;
}

/* Whether a file holds these numbers as float16: nothing is lost by it. */
static bool is_half(const adatom_model *model) {
    bool any = false;
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        const float *values = model->values + p->offset;
        for (size_t e = 0; e < p->count && ad_param_halved(p); e++) {
            if (!ad_half_exact(values[e])) return false;
            any = any || values[e] != 0;
        }
    }
    return any;
}

/* A file's tensors: a part of a parameter each, or the base mean (param NULL). */
typedef struct piece {
    const ad_param *param;
    int number;
    char name[AD_PARAM_NAME];
    int64_t shape[AD_PARAM_RANK];
} piece;

/* float32 tensors come first: behind a float16 one they need not be aligned, which some readers rely on. */
static size_t list_pieces(const adatom_model *model, piece *pieces, ad_st_entry *entries) {
    const ad_network *net = &model->net;
    const bool half = is_half(model);
    size_t count = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < net->param_count; i++) {
            const ad_param *p = &net->params[i];
            const bool as_half = half && ad_param_halved(p);
            for (int number = 0; number < ad_param_parts(p) && as_half == pass; number++, count++) {
                piece *to = &pieces[count];
                to->param = p;
                to->number = number;
                entries[count].rank = ad_param_file(p, number, to->name, to->shape);
                entries[count].type = as_half ? AD_ST_F16 : AD_ST_F32;
            }
        }
        if (pass == 0 && model->base_mean) {
            snprintf(pieces[count].name, sizeof pieces[count].name, BASE_MEAN);
            pieces[count].shape[0] = net->features;
            entries[count++].rank = 1;
        }
    }
    for (size_t i = 0; i < count; i++) {
        entries[i].name = pieces[i].name;
        entries[i].shape = pieces[i].shape;
    }
    return count;
}

/* Writes a tensor's numbers to a file's bytes; returns where the next one's are to be. */
static unsigned char *put_piece(const adatom_model *model, const piece *from, ad_st_type type, unsigned char *at) {
    const ad_param *p = from->param;
    const size_t elements = p ? p->logical / (size_t)ad_param_parts(p) : (size_t)model->net.features;
    for (size_t e = 0; e < elements; e++) {
        const float value = p ? model->values[p->offset + ad_param_at(p, from->number, e)] : model->base_mean[e];
        const uint16_t half = ad_half_from_float(value);
        const size_t size = type == AD_ST_F16 ? sizeof half : sizeof value;
        memcpy(at, type == AD_ST_F16 ? (const void *)&half : &value, size);
        at += size;
    }
    return at;
}

adatom_status adatom_model_save(const adatom_model *model, const char *path) {
    adatom_status status = ADATOM_OK;
    adatom_context *ctx = model->ctx;
    const size_t capacity = 2 * (size_t)model->net.param_count + 1;
    size_t count, size = 0;
    unsigned char *bytes = NULL;
    float *values = NULL;
    char *description = describe(model);
    piece *pieces = ad_calloc(ctx, capacity, sizeof *pieces);
    ad_st_entry *entries = ad_calloc(ctx, capacity, sizeof *entries);
    if (!description || !pieces || !entries) {
        status = ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory for writing '%s'", path);
        goto done;
    }
    count = list_pieces(model, pieces, entries);
    const char *metadata[] = {"format_version", FORMAT_VERSION, "adatom", description, "notes", model->notes, NULL};
    AD_TRY(ad_safetensors_make(ctx, metadata, entries, count, &bytes, &size, &values));
    unsigned char *at = (unsigned char *)values;
    for (size_t i = 0; i < count; i++) at = put_piece(model, &pieces[i], entries[i].type, at);
    AD_TRY(ad_write_file(ctx, path, bytes, size));
done:
    free(description);
    ad_free(pieces);
    ad_free(entries);
    ad_free(bytes);
    return ad_leave(model->ctx, status);
}

/* The description in the metadata; strings belong to json. */
typedef struct description {
    json_t *json;
    adatom_model_params params;
    double mean[3], std[3];
    int resize; /* 0: not given */
    adatom_interpolation interpolation;
    const char *layout, *prefix, *head_prefix; /* of the origin, or NULL */
} description;

static const char *const sharing_texts[] = {ADATOM_SHARING_LIST(AD_CHOICE_TEXT) NULL};
static const char *const stem_texts[] = {ADATOM_STEM_LIST(AD_CHOICE_TEXT) NULL};
static const char *const interpolation_texts[] = {ADATOM_INTERPOLATION_LIST(AD_CHOICE_TEXT) NULL};
static const char *const padding_texts[] = {ADATOM_PADDING_LIST(AD_CHOICE_TEXT) NULL};

static adatom_status refuse_choice(adatom_context *ctx, const ad_safetensors *file, const char *what, const char *text,
                                   const char *const *texts) {
    char known[256];
    ad_choice_join(texts, known, sizeof known);
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' describes no network: unknown %s '%s'; known: %s", file->name, what,
                   text, known);
}

static adatom_status read_description(adatom_context *ctx, const ad_safetensors *file, description *d) {
    const char *version = ad_safetensors_metadata(file, "format_version"),
               *text = ad_safetensors_metadata(file, "adatom");
    if (!version || !text)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a model of this program: its metadata lacks %s", file->name,
                       text ? "format_version"
                            : "the description 'adatom' ('adatom import' reads those of other programs)");
    if (strcmp(version, FORMAT_VERSION) != 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has format version '%s'; this program reads version " FORMAT_VERSION,
                       file->name, version);
    json_error_t error;
    json_int_t atoms, group = 0, image_size, width, classes, resize = 0;
    adatom_model_params *params = &d->params;
    const char *sharing = NULL, *stem = NULL, *padding = NULL, *interpolation = NULL;
    double epsilon = 0;
    d->interpolation = ADATOM_INTERPOLATION_FAST_BILINEAR;
    int decompose_first, residual = 0;
    adatom_status status = ad_json_parse(ctx, text, strlen(text), &d->json, &error);
    if (status != ADATOM_OK && status != ADATOM_BAD_DATA) return status;
    if (!d->json ||
        json_unpack_ex(d->json, &error, 0,
                       "{s:s, s:s, s:I, s?I, s:I, s?I, s?s, s:I, s:I, s:b, s?b, s?s, s?s, s?F, s?{s:s, s:s, s:s!}, "
                       "s:[F, F, F!], s:[F, F, F!]!}",
                       "arch", &params->arch, "sharing", &sharing, "atoms", &atoms, "group", &group, "image_size",
                       &image_size, "resize", &resize, "interpolation", &interpolation, "width", &width, "classes",
                       &classes, "decompose_first", &decompose_first, "residual", &residual, "stem", &stem, "padding",
                       &padding, "norm_epsilon", &epsilon, "origin", "layout", &d->layout, "prefix", &d->prefix,
                       "head_prefix", &d->head_prefix, "mean", &d->mean[0], &d->mean[1], &d->mean[2], "std", &d->std[0],
                       &d->std[1], &d->std[2])) {
        status = d->json ? ad_json_memory(ctx, &error) : ADATOM_OK;
        if (status != ADATOM_OK) return status;
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the description of the network is damaged: %s", file->name,
                       error.text);
    }
    if (!adatom_sharing_parse(sharing, &params->sharing) || params->sharing == ADATOM_SHARING_DEFAULT)
        return refuse_choice(ctx, file, "sharing", sharing, sharing_texts);
    if (stem && (!adatom_stem_parse(stem, &params->stem) || params->stem == ADATOM_STEM_DEFAULT))
        return refuse_choice(ctx, file, "stem", stem, stem_texts);
    if (interpolation && (!adatom_interpolation_parse(interpolation, &d->interpolation) ||
                          d->interpolation == ADATOM_INTERPOLATION_DEFAULT))
        return refuse_choice(ctx, file, "interpolation", interpolation, interpolation_texts);
    if (padding && (!adatom_padding_parse(padding, &params->padding) || params->padding == ADATOM_PADDING_DEFAULT))
        return refuse_choice(ctx, file, "padding", padding, padding_texts);
    params->norm_epsilon = (float)epsilon;
    const json_int_t numbers[] = {atoms, group, image_size, width, classes, resize};
    int *const fields[] = {&params->atoms, &params->group,   &params->image_size,
                           &params->width, &params->classes, &d->resize};
    for (size_t i = 0; i < AD_COUNT(fields); i++) {
        if (numbers[i] < 0 || numbers[i] > INT_MAX)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the description of the network has an impossible number",
                           file->name);
        *fields[i] = (int)numbers[i];
    }
    params->decompose_first = decompose_first;
    params->residual = residual;
    for (int i = 0; i < 3; i++)
        if (!(fabs(d->mean[i]) <= 1e6) || !(d->std[i] >= 1e-6 && d->std[i] <= 1e6))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the preprocessing's mean and std are impossible", file->name);
    if (d->resize && (d->resize < params->image_size || d->resize > MAX_RESIZE))
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': pictures cannot be scaled to %d before %d x %d are cropped from them", file->name,
                       d->resize, params->image_size, params->image_size);
    return ADATOM_OK;
}

static adatom_status read_notes(adatom_context *ctx, const ad_safetensors *file, char **out) {
    const char *notes = ad_safetensors_metadata(file, "notes");
    if (!notes) return ADATOM_OK;
    json_error_t error;
    json_t *json = NULL;
    const adatom_status status = ad_json_parse(ctx, notes, strlen(notes), &json, &error);
    if (status != ADATOM_OK && status != ADATOM_BAD_DATA) return status;
    const bool object = json_is_object(json);
    json_decref(json);
    if (!object) return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the notes are not a JSON object", file->name);
    *out = ad_strdup(ctx, notes);
    return *out ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

static void shape_text(char *out, size_t capacity, int rank, const int64_t *shape) {
    int used = snprintf(out, capacity, "[");
    for (int i = 0; i < rank && (size_t)used < capacity; i++)
        used += snprintf(out + used, capacity - (size_t)used, "%s%lld", i ? ", " : "", (long long)shape[i]);
    if ((size_t)used < capacity) snprintf(out + used, capacity - (size_t)used, "]");
}

/* The tensor of that name, if its shape is right. */
static adatom_status check_tensor(adatom_context *ctx, const ad_safetensors *file, const char *name, int rank,
                                  const int64_t *shape, const ad_st_tensor **out) {
    char is[200], expected[120];
    shape_text(expected, sizeof expected, rank, shape);
    const ad_st_tensor *tensor = *out = ad_safetensors_find(file, name);
    if (tensor && !ad_safetensors_is_float(tensor))
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' holds integers; F32, F16 or BF16 was expected",
                       file->name, name);
    if (!tensor)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' of shape %s is missing", file->name, name, expected);
    if (tensor->rank == rank && memcmp(tensor->shape, shape, (size_t)rank * sizeof *shape) == 0) return ADATOM_OK;
    shape_text(is, sizeof is, tensor->rank, tensor->shape);
    return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has the shape %s; %s was expected", file->name, name, is,
                   expected);
}

static adatom_status find_tensor(adatom_context *ctx, const ad_safetensors *file, const ad_param *param, int part,
                                 const ad_st_tensor **out) {
    char name[AD_PARAM_NAME];
    int64_t shape[AD_PARAM_RANK];
    const int rank = ad_param_file(param, part, name, shape);
    return check_tensor(ctx, file, name, rank, shape, out);
}

/* *out: NULL where the file has none. */
static adatom_status find_base_mean(adatom_context *ctx, const ad_safetensors *file, const ad_network *net,
                                    const ad_st_tensor **out) {
    const int64_t shape[] = {net->features};
    *out = NULL;
    return ad_safetensors_find(file, BASE_MEAN) ? check_tensor(ctx, file, BASE_MEAN, 1, shape, out) : ADATOM_OK;
}

/* Every tensor is there with its exact shape, and nothing else: before memory is taken for the description's word. */
static adatom_status check_tensors(adatom_context *ctx, const ad_safetensors *file, const ad_network *net) {
    adatom_status status = ADATOM_OK;
    const ad_st_tensor *tensor = NULL;
    bool *known = ad_calloc(ctx, file->count, sizeof *known);
    if (!known) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < net->param_count; i++)
        for (int part = 0; part < ad_param_parts(&net->params[i]); part++) {
            AD_TRY(find_tensor(ctx, file, &net->params[i], part, &tensor));
            known[tensor - file->tensors] = true;
        }
    AD_TRY(find_base_mean(ctx, file, net, &tensor));
    if (tensor) known[tensor - file->tensors] = true;
    for (size_t i = 0; i < file->count; i++)
        if (!known[i])
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' does not belong to a %s", file->name,
                           file->tensors[i].name, net->arch));
done:
    ad_free(known);
    return status;
}

static adatom_status read_values(adatom_context *ctx, const ad_safetensors *file, const ad_param *p, float *values) {
    for (int part = 0; part < ad_param_parts(p); part++) {
        const ad_st_tensor *tensor = NULL;
        adatom_status status = find_tensor(ctx, file, p, part, &tensor);
        if (status != ADATOM_OK) return status;
        const bool variance = p->kind == AD_PARAM_STATISTICS && part == 1;
        for (size_t e = 0; e < tensor->elements; e++) {
            const float value = ad_safetensors_float(file, tensor, e);
            if (!isfinite(value) || (variance && value < 0))
                return ad_fail(
                    ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' has the value %g at element %zu; a %s number was expected",
                    file->name, tensor->name, (double)value, e, variance ? "finite, non-negative" : "finite");
            values[p->offset + ad_param_at(p, part, e)] = value;
        }
    }
    return ADATOM_OK;
}

static adatom_status read_base_mean(adatom_context *ctx, const ad_safetensors *file, adatom_model *model) {
    const ad_st_tensor *tensor = NULL;
    const adatom_status status = find_base_mean(ctx, file, &model->net, &tensor);
    if (status != ADATOM_OK || !tensor) return status;
    model->base_mean = ad_malloc(ctx, tensor->elements, sizeof *model->base_mean);
    if (!model->base_mean) return ADATOM_OUT_OF_MEMORY;
    for (size_t e = 0; e < tensor->elements; e++) {
        model->base_mean[e] = ad_safetensors_float(file, tensor, e);
        if (!isfinite(model->base_mean[e]))
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "'%s': tensor '%s' has the value %g at element %zu; a finite number was expected",
                           file->name, BASE_MEAN, (double)model->base_mean[e], e);
    }
    return ADATOM_OK;
}

static adatom_status read_model(adatom_context *context, const ad_safetensors *file, adatom_model **out) {
    adatom_status status = ADATOM_OK;
    ad_network net = {0};
    description d = {0};
    adatom_model *model = NULL;
    *out = NULL;
    AD_TRY(read_description(context, file, &d));
    status = ad_network_build(context, &d.params, &net);
    if (status == ADATOM_USAGE)
        status = ad_fail(context, ADATOM_BAD_DATA, "'%s' describes no network: %s", file->name, context->message);
    AD_TRY(status);
    AD_TRY(check_tensors(context, file, &net));
    AD_TRY(ad_model_create_blank(context, &d.params, &model));
    for (int i = 0; i < model->net.param_count; i++)
        AD_TRY(read_values(context, file, &model->net.params[i], model->values));
    AD_TRY(read_base_mean(context, file, model));
    AD_TRY(read_notes(context, file, &model->notes));
    for (int i = 0; i < 3; i++) {
        model->mean[i] = (float)d.mean[i];
        model->std[i] = (float)d.std[i];
    }
    if (d.resize) model->resize = d.resize;
    model->interpolation = d.interpolation;
    if (d.layout) {
        snprintf(model->origin.layout, sizeof model->origin.layout, "%s", d.layout);
        snprintf(model->origin.prefix, sizeof model->origin.prefix, "%s", d.prefix);
        snprintf(model->origin.head_prefix, sizeof model->origin.head_prefix, "%s", d.head_prefix);
    }
    ad_model_rehash(model);
    *out = model;
    model = NULL;
done:
    adatom_model_destroy(&model);
    ad_network_clear(&net);
    json_decref(d.json);
    return status;
}

adatom_status adatom_model_parse(adatom_context *context, const char *name, const void *bytes, size_t size,
                                 adatom_model **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    ad_safetensors file = {0};
    *out = NULL;
    adatom_status status = ad_safetensors_parse(context, name, bytes, size, &file);
    if (status == ADATOM_OK) status = read_model(context, &file, out);
    ad_safetensors_clear(&file);
    return ad_call_end(context, &outer, status);
}

adatom_status adatom_model_load(adatom_context *context, const char *path, adatom_model **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    ad_safetensors file = {0};
    *out = NULL;
    adatom_status status = ad_safetensors_load(context, path, path, &file);
    if (status == ADATOM_OK) status = read_model(context, &file, out);
    ad_safetensors_clear(&file);
    return ad_call_end(context, &outer, status);
}
