/* adapter.safetensors and adapter_config.json, from bytes to an adapter: they say the same or contradict each other.
 * The folder with both is opened and written by adapter_folder.c. */
#include "fewshot/formats/adapter_parse.h"
#include "io/json.h"
#include "io/safetensors.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2 where the method has `mirror`, which programs that read version 1 alone would pass over. */
enum { PLAIN_VERSION = 1, MIRROR_VERSION = 2 };
#define TENSORS AD_ADAPTER_TENSORS
#define CONFIG AD_ADAPTER_CONFIG
#define HEAD AD_ADAPTER_HEAD
#define BIAS AD_ADAPTER_BIAS
enum { LOOK_EVERY = 4096 };

/* What a configuration says of the tensors. */
typedef struct claims {
    json_int_t version, features, steps, tested, right, fitted, fitted_right, tasks, diverged;
    const char *model_hash, *method, *head, *estimate, *hash;
    double scale;
    json_t *classes, *modules;
    bool cosine;
    int mirror;
    ad_lowrank lowrank;
} claims;

static bool count_within(json_int_t value, json_int_t most) { return value >= 0 && value <= most; }

static bool is_hash(const char *text) { return strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16; }

static adatom_status read_classes(adatom_context *ctx, const char *name, const claims *c) {
    json_int_t tested = 0, right = 0;
    size_t i;
    json_t *one;
    if (!json_is_array(c->classes) || json_array_size(c->classes) < 2 || json_array_size(c->classes) > 1000000)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' does not list two or more classes", name);
    json_array_foreach(c->classes, i, one) {
        const char *text;
        json_int_t images, class_tested, class_right;
        json_error_t error;
        const bool lacks = json_unpack_ex(one, &error, 0, "{s:s, s:I, s:I, s:I}", "name", &text, "images", &images,
                                          "tested", &class_tested, "right", &class_right) != 0;
        if (lacks && ad_json_memory(ctx, &error) != ADATOM_OK) return ADATOM_OUT_OF_MEMORY;
        if (lacks || images < 1 || !count_within(images, INT_MAX) || !count_within(class_tested, images) ||
            !count_within(class_right, class_tested))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': class %zu lacks a name or has impossible numbers", name, i);
        tested += class_tested;
        right += class_right;
        if (i % LOOK_EVERY == LOOK_EVERY - 1 && ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    if (tested != c->tested || right != c->right)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': the estimate (%lld of %lld) is not the sum over the classes (%lld of %lld)", name,
                       (long long)c->right, (long long)c->tested, (long long)right, (long long)tested);
    return ADATOM_OK;
}

/* PEFT's members, of adapters of kernels. TSA, of which PEFT knows nothing, has the first only; those of the model's
 * own tensors have none of them. */
static adatom_status read_lowrank(adatom_context *ctx, const char *name, json_t *config, claims *c) {
    const char *type = NULL;
    json_int_t rank = 0;
    double alpha = 0;
    int dora = 0, bora = 0;
    json_t *peft = json_object_get(config, "peft_type");
    if (!peft) return ADATOM_OK;
    if (json_string_value(peft) && strcmp(json_string_value(peft), "TSA") == 0) {
        c->lowrank = (ad_lowrank){.kind = AD_LOWRANK_TSA, .scale = 1};
        return ADATOM_OK;
    }
    json_error_t error;
    const bool lacks = json_unpack_ex(config, &error, 0, "{s:s, s:I, s:F, s:b, s:b}", "peft_type", &type, "r", &rank,
                                      "lora_alpha", &alpha, "use_dora", &dora, "use_bora", &bora) != 0;
    if (lacks && ad_json_memory(ctx, &error) != ADATOM_OK) return ADATOM_OUT_OF_MEMORY;
    if (lacks || strcmp(type, "LORA") != 0 || rank < 1 || rank > AD_LOWRANK_MOST || !(fabs(alpha) <= 1e6) ||
        (dora && bora))
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': its low-rank adapter lacks a member or has an impossible one (peft_type, r, lora_alpha, "
                       "use_dora, use_bora)",
                       name);
    c->lowrank = (ad_lowrank){.kind = bora   ? AD_LOWRANK_BORA
                                      : dora ? AD_LOWRANK_DORA
                                             : AD_LOWRANK_LORA,
                              .rank = (int32_t)rank,
                              .scale = (float)(alpha / (double)rank)};
    return ADATOM_OK;
}

static adatom_status read_claims(adatom_context *ctx, const char *name, json_t *config, claims *c) {
    json_error_t error;
    if (json_unpack_ex(config, &error, 0,
                       "{s:I, s:{s:s}, s:{s:s, s:I, s?b}, s:I, s:{s:s, s:F}, s:o, s:o, s:{s:s, s:I, s:I, s:I, s:I, "
                       "s?I, s?I}, s:s}",
                       "format_version", &c->version, "base_model", "hash", &c->model_hash, "method", "adapt",
                       &c->method, "steps", &c->steps, "mirror", &c->mirror, "features", &c->features, "head", "kind",
                       &c->head, "scale", &c->scale, "classes", &c->classes, "target_modules", &c->modules, "estimate",
                       "kind", &c->estimate, "tested", &c->tested, "right", &c->right, "fitted", &c->fitted,
                       "fitted_right", &c->fitted_right, "tasks", &c->tasks, "diverged", &c->diverged, "tensors_hash",
                       &c->hash)) {
        const adatom_status short_of = ad_json_memory(ctx, &error);
        return short_of != ADATOM_OK
                   ? short_of
                   : ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not the configuration of an adapter: %s", name, error.text);
    }
    if (c->version < PLAIN_VERSION || c->version > MIRROR_VERSION)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has format version %lld; this program reads versions %d to %d", name,
                       (long long)c->version, PLAIN_VERSION, MIRROR_VERSION);
    c->cosine = strcmp(c->head, "cosine") == 0;
    if (!c->cosine && strcmp(c->head, "linear") != 0)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the classifier '%s' is neither linear nor cosine", name, c->head);
    if (!is_hash(c->model_hash) || !is_hash(c->hash) || !(fabs(c->scale) <= 1e6) || c->features < 1 ||
        !count_within(c->features, INT_MAX) || !count_within(c->steps, INT_MAX) || !count_within(c->fitted, INT_MAX) ||
        !count_within(c->fitted_right, c->fitted) || !count_within(c->tasks, INT_MAX) ||
        !count_within(c->diverged, c->tasks))
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has an impossible hash or number", name);
    adatom_status status = read_lowrank(ctx, name, config, c);
    return status == ADATOM_OK ? read_classes(ctx, name, c) : status;
}

static void fill_info(adatom_adapter *a, const claims *c) {
    adatom_adapter_info *info = &a->info;
    info->method = c->method;
    info->estimate = c->estimate;
    info->steps = (int)c->steps;
    info->tested = (int)c->tested;
    info->right = (int)c->right;
    info->diverged = (int)c->diverged;
    info->tasks = (int)c->tasks;
    info->fitted = (int)c->fitted;
    info->fitted_right = (int)c->fitted_right;
    info->accuracy = info->tested ? (double)info->right / info->tested : 0;
    adatom_wilson_interval((uint64_t)info->right, (uint64_t)info->tested, &info->low, &info->high);
    memcpy(info->model_hash, c->model_hash, sizeof info->model_hash);
    memcpy(info->hash, c->hash, sizeof info->hash);
    info->cosine = a->cosine;
    info->mirror = a->mirror;
    info->adapted = 0;
    for (int i = 0; i < a->count; i++) info->adapted += a->tensors[i].elements;
    info->tensors = (int)json_array_size(c->modules);
    info->head = (uint64_t)info->classes * ((uint64_t)info->features + (a->bias != NULL));
    info->config_json = a->config_text;
    info->calibrated = a->calibration.pictures;
    info->temperature = a->calibration.pictures ? (double)a->calibration.temperature : 1;
    info->loss_before = (double)a->calibration.loss_before;
    info->loss = (double)a->calibration.loss;
}

adatom_status ad_adapter_finish(adatom_adapter *a, json_t *config) {
    char hash[17];
    claims c = {0};
    a->config = config;
    ad_hash_hex(ad_adapter_hash(a), hash);
    json_t *modules = json_array();
    bool bad = false;
    ad_json_set(config, "format_version", json_integer(a->mirror ? MIRROR_VERSION : PLAIN_VERSION), &bad);
    ad_json_set(config, "features", json_integer(a->info.features), &bad);
    ad_json_set(config, "head",
                json_pack("{s:s, s:f}", "kind", a->cosine ? "cosine" : "linear", "scale", (double)a->scale), &bad);
    for (int i = 0; i < a->count; i++)
        if (i == 0 || strcmp(a->tensors[i].module, a->tensors[i - 1].module) != 0)
            ad_json_append(modules, json_string(a->tensors[i].module), &bad);
    if (a->lowrank.kind == AD_LOWRANK_TSA) {
        ad_json_set(config, "peft_type", json_string("TSA"), &bad);
    } else if (a->lowrank.kind != AD_LOWRANK_NONE) {
        const double rank = a->lowrank.rank;
        json_t *peft =
            json_pack("{s:s, s:i, s:f, s:b, s:b, s:s}", "peft_type", "LORA", "r", (int)a->lowrank.rank, "lora_alpha",
                      (double)a->lowrank.scale * rank, "use_dora", a->lowrank.kind == AD_LOWRANK_DORA, "use_bora",
                      a->lowrank.kind == AD_LOWRANK_BORA, "bias", "none");
        bad |= json_object_update(config, peft) != 0;
        json_decref(peft);
    }
    ad_json_set(config, "target_modules", modules, &bad);
    ad_json_set(config, "modules_to_save", json_pack("[s]", "head"), &bad);
    if (a->calibration.pictures) ad_json_set(config, "calibration", ad_calibration_json(&a->calibration), &bad);
    ad_json_set(config, "tensors_hash", json_string(hash), &bad);
    /* 9 digits give back a float. */
    if (!bad) a->config_text = ad_json_dump(config, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    if (bad || !a->config_text)
        return ad_fail(a->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration");
    adatom_status status = read_claims(a->ctx, CONFIG, config, &c);
    if (status == ADATOM_OK) fill_info(a, &c);
    return status;
}

/* ---- reading ---- */

static adatom_status read_values(adatom_context *ctx, const ad_safetensors *file, const ad_st_tensor *tensor,
                                 float *to) {
    for (size_t e = 0; e < tensor->elements; e++)
        if (!isfinite(to[e] = ad_safetensors_float(file, tensor, e)))
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': tensor '%s' is not finite at element %zu", file->name,
                           tensor->name, e);
    return ADATOM_OK;
}

/* The classifier's tensors have the shapes that the configuration implies: checked before memory is taken for its
 * word. */
static adatom_status read_head(adatom_context *ctx, const ad_safetensors *file, const claims *c, adatom_adapter **out) {
    adatom_status status = ADATOM_OK;
    const int64_t classes = (int64_t)json_array_size(c->classes);
    const ad_st_tensor *head = ad_safetensors_find(file, HEAD), *bias = ad_safetensors_find(file, BIAS);
    if (!head || head->rank != 2 || head->shape[0] != classes || head->shape[1] != c->features)
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s' has no tensor '" HEAD "' of shape [%lld, %lld], as its configuration says", file->name,
                       (long long)classes, (long long)c->features);
    if ((bias != NULL) == c->cosine || (bias && (bias->rank != 1 || bias->shape[0] != classes)))
        return ad_fail(ctx, ADATOM_BAD_DATA,
                       "'%s': a tensor '" BIAS "' of shape [%lld] belongs to a linear classifier, and only to it",
                       file->name, (long long)classes);
    AD_TRY(ad_adapter_create(ctx, (int)classes, (int)c->features, c->cosine, (float)c->scale, out));
    (*out)->mirror = c->mirror;
    AD_TRY(read_values(ctx, file, head, (*out)->head));
    if (bias) AD_TRY(read_values(ctx, file, bias, (*out)->bias));
done:
    return status;
}

static adatom_status read_tensor(adatom_context *ctx, const ad_safetensors *file, const char *module, const char *name,
                                 bool *taken, adatom_adapter *a) {
    adatom_status status = ADATOM_OK;
    const ad_st_tensor *t = ad_safetensors_find(file, name);
    if (!t || t->rank > AD_PARAM_RANK || strlen(name) >= AD_PARAM_NAME || strcmp(name, HEAD) == 0 ||
        strcmp(name, BIAS) == 0)
        AD_TRY(
            ad_fail(ctx, ADATOM_BAD_DATA, "'%s' lacks the tensor '%s' that its configuration names", file->name, name));
    if (taken[t - file->tensors])
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the configuration names tensor '%s' twice", file->name, name));
    taken[t - file->tensors] = true;
    if (a->count % LOOK_EVERY == LOOK_EVERY - 1) AD_TRY(ad_interrupted(ctx));
    AD_TRY(ad_adapter_add(a, module, name, t->rank, t->shape));
    AD_TRY(read_values(ctx, file, t, a->tensors[a->count - 1].values));
done:
    return status;
}

/* A module is a tensor of the model, or in an adapter of kernels also a convolution. */
static adatom_status read_modules(adatom_context *ctx, const ad_safetensors *file, const claims *c, adatom_adapter *a) {
    adatom_status status = ADATOM_OK;
    size_t i;
    json_t *module;
    a->lowrank = c->lowrank;
    bool *taken = ad_calloc(ctx, file->count, sizeof *taken);
    if (!taken) return ADATOM_OUT_OF_MEMORY;
    json_array_foreach(c->modules, i, module) {
        const char *text = json_string_value(module);
        char name[AD_PARAM_NAME];
        if (!text || strlen(text) + sizeof ".lora_magnitude_vector_in" > sizeof name)
            AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s': module %zu of the configuration has no possible name",
                           file->name, i));
        if (a->lowrank.kind == AD_LOWRANK_NONE || ad_safetensors_find(file, text)) {
            AD_TRY(read_tensor(ctx, file, text, text, taken, a));
            continue;
        }
        for (int part = 0; part < ad_lowrank_parts(a->lowrank.kind); part++) {
            snprintf(name, sizeof name, "%s%s", text, ad_lowrank_suffix(a->lowrank.kind, part));
            AD_TRY(read_tensor(ctx, file, text, name, taken, a));
        }
    }
    if (file->count != (size_t)a->count + (a->bias ? 2 : 1))
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has %zu tensors, its configuration names %d", file->name,
                       file->count, a->count + (a->bias ? 2 : 1)));
done:
    ad_free(taken);
    return status;
}

adatom_status ad_adapter_parse(adatom_context *context, const char *config, size_t config_size,
                               const ad_safetensors *file, adatom_adapter **out) {
    const char *name = file->name;
    claims c = {0};
    adatom_adapter *a = NULL;
    json_error_t error;
    json_t *json = NULL;
    char hash[17];
    adatom_status status = ad_json_parse(context, config, config_size, &json, &error);
    if (status == ADATOM_BAD_DATA)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA, "'%s': " CONFIG " is not valid JSON: line %d: %s", name, error.line,
                       error.text));
    AD_TRY(status);
    AD_TRY(read_claims(context, name, json, &c));
    AD_TRY(read_head(context, file, &c, &a));
    AD_TRY(read_modules(context, file, &c, a));
    AD_TRY(ad_calibration_parse(context, name, json_object_get(json, "calibration"), &a->calibration));
    ad_hash_hex(ad_adapter_hash(a), hash);
    if (strcmp(hash, c.hash) != 0)
        AD_TRY(ad_fail(context, ADATOM_BAD_DATA,
                       "'%s': " TENSORS " and " CONFIG " do not belong together (hash %s, %s expected)", name, hash,
                       c.hash));
    a->config = json_incref(json);
    if (!(a->config_text = ad_json_dump(a->config, JSON_INDENT(2) | JSON_REAL_PRECISION(9))))
        AD_TRY(ad_fail(context, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration"));
    fill_info(a, &c);
    *out = a;
    a = NULL;
done:
    json_decref(json);
    adatom_adapter_destroy(&a);
    return status;
}

adatom_status adatom_adapter_parse(adatom_context *context, const adatom_adapter_files *files, adatom_adapter **out) {
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    adatom_adapter_files f;
    ad_safetensors file = {0};
    *out = NULL;
    adatom_status status = AD_PARAMS(context, adatom_adapter_files, files, &f);
    if (status == ADATOM_OK && (!f.config || !f.tensors))
        status = ad_fail(context, ADATOM_USAGE, "an adapter has a configuration and tensors");
    if (status == ADATOM_OK)
        status = ad_safetensors_parse(context, f.name ? f.name : "adapter", f.tensors, f.tensors_size, &file);
    if (status == ADATOM_OK) status = ad_adapter_parse(context, f.config, f.config_size, &file, out);
    ad_safetensors_clear(&file);
    return ad_call_end(context, &outer, status);
}
