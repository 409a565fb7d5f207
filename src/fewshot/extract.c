/* adatom_features_compute(): the features of all pictures of a data set, as a data set of features. Pictures that are
 * only listed are decoded a block after the other. */
#include "fewshot/features.h"
#include "fewshot/provenance.h"
#include "io/dataset.h"
#include "io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES ((size_t)128 << 20) /* of decoded pictures at once */

typedef struct extraction {
    adatom_device *device;
    adatom_context *ctx;
    const adatom_model *model;
    const adatom_dataset *dataset;
    adatom_features_params p;
    adatom_dataset_info info;
    adatom_model *merged;
    ad_session session;
    float *values;     /* [kept][features] */
    size_t *kept;      /* the numbers of the pictures in the data set */
    size_t kept_count; /* of them so far; the others cannot be read */
    /* Of a block: its pictures, those of them that cannot be read, and the rest. */
    uint8_t *pixels, *bad;
    int32_t *good;
    size_t done; /* pictures before the block */
    ad_hash_state *hash;
} extraction;

static void keep_features(void *user, size_t first, size_t n, const float *features, size_t stride) {
    extraction *e = user;
    const size_t width = (size_t)e->session.model->net.features;
    (void)stride;
    memcpy(e->values + (e->kept_count + first) * width, features, n * width * sizeof *features);
    ad_report(e->ctx, ADATOM_PHASE_EXTRACTING, e->done + first + n, e->info.images);
}

static adatom_status begin(extraction *e, const uint8_t *pixels) {
    const ad_features_wanted wanted = {.device = e->device,
                                       .model = e->session.model,
                                       .pixels = pixels,
                                       .size = e->info.image_size,
                                       .count = e->info.images,
                                       .memory_bytes = e->p.memory_bytes};
    return ad_features_begin(&wanted, &e->session);
}

/* Pictures that are decoded already. */
static adatom_status extract_all(extraction *e) {
    adatom_status status;
    AD_TRY(begin(e, adatom_dataset_pixels(e->dataset, 0)));
    AD_TRY(ad_session_pass(&e->session, NULL, e->info.images, keep_features, e));
    for (size_t i = 0; i < e->info.images; i++) e->kept[i] = i;
    e->kept_count = e->info.images;
done:
    return status;
}

/* Decodes pictures first .. first + count - 1. The call within the call is silent: what is told counts features. */
static adatom_status read_block(extraction *e, size_t first, size_t count) {
    const ad_call outer = ad_call_begin(e->ctx, NULL, NULL);
    return ad_call_end(e->ctx, &outer,
                       ad_listing_read(ad_dataset_listing(e->dataset), first, count, e->pixels, e->bad));
}

static adatom_status extract_block(extraction *e, size_t first, size_t count) {
    const size_t stride = 3 * (size_t)e->info.image_size * (size_t)e->info.image_size;
    adatom_status status;
    size_t n = 0;
    AD_TRY(read_block(e, first, count));
    for (size_t i = 0; i < count; i++) {
        if (e->bad[i]) continue;
        ad_hash_add(e->hash, e->pixels + i * stride, stride);
        e->kept[e->kept_count + n] = first + i;
        e->good[n++] = (int32_t)i;
    }
    e->done = first;
    ad_row_stream_forget(&e->session.rows);
    if (n) AD_TRY(ad_session_pass(&e->session, e->good, n, keep_features, e));
    e->kept_count += n;
done:
    return status;
}

static adatom_status extract_listed(extraction *e) {
    const size_t stride = 3 * (size_t)e->info.image_size * (size_t)e->info.image_size;
    const size_t block = AD_MIN(AD_MAX(BLOCK_BYTES / stride, (size_t)1), e->info.images);
    adatom_status status = ADATOM_OK;
    e->pixels = ad_malloc(e->ctx, block, stride);
    e->bad = ad_calloc(e->ctx, block, 1);
    e->good = ad_malloc(e->ctx, block, sizeof *e->good);
    e->hash = ad_hash_begin(e->ctx, (uint64_t)e->info.image_size);
    if (!e->pixels || !e->bad || !e->good || !e->hash) AD_TRY(ADATOM_OUT_OF_MEMORY);
    AD_TRY(begin(e, e->pixels));
    for (size_t at = 0; at < e->info.images; at += block)
        AD_TRY(extract_block(e, at, AD_MIN(block, e->info.images - at)));
    if (e->kept_count == 0) AD_TRY(ad_fail(e->ctx, ADATOM_BAD_DATA, "none of the pictures can be read"));
done:
    return status;
}

static adatom_status check_finite(const extraction *e) {
    const size_t width = (size_t)e->session.model->net.features;
    size_t bad = 0, first = 0;
    for (size_t i = e->kept_count; i-- > 0;) {
        bool finite = true;
        for (size_t f = 0; f < width; f++) finite = finite && isfinite(e->values[i * width + f]);
        bad += !finite;
        if (!finite) first = i;
    }
    if (bad == 0) return ADATOM_OK;
    return ad_fail(e->ctx, ADATOM_FAILED, "the features of %zu of %zu pictures are not finite, '%s' for one", bad,
                   e->kept_count, adatom_dataset_path(e->dataset, e->kept[first]));
}

/* ---- the data set of features ---- */

static const char *kept_path(const void *user, size_t image) {
    const extraction *e = user;
    return adatom_dataset_path(e->dataset, e->kept[image]);
}

/* How the features were made, as text (jansson's: free()); NULL: out of memory. hash: of the pictures. */
static char *describe(const extraction *e, const char *hash) {
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    json_t *c = json_object();
    bool bad = false;
#define SET(key, value) ad_json_set(c, key, value, &bad)
    SET("tool_version", json_string(ADATOM_VERSION));
    if (e->p.command) SET("command", ad_json_text(e->ctx, e->p.command));
    if (e->p.base_model) SET("base_model_name_or_path", ad_json_text(e->ctx, e->p.base_model));
    SET("base_model", ad_provenance_model(e->session.model, NULL));
    if (e->p.adapter) {
        adatom_adapter_describe(e->p.adapter, &a);
        SET("adapter", json_pack("{s:s, s:s, s:s}", "hash", a.hash, "method", a.method, "model_hash", a.model_hash));
    }
    SET("preprocessing", ad_provenance_preprocessing(e->session.model, NULL));
    SET("dataset", json_pack("{s:o, s:s, s:i}", "name", ad_json_text(e->ctx, e->info.name), "hash", hash, "images",
                             (int)e->kept_count));
    SET("device", ad_provenance_device(e->device));
    SET("features", json_integer(e->session.model->net.features));
#undef SET
    char *text = bad ? NULL : ad_json_dump(c, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(c);
    return text;
}

static adatom_status wrap(extraction *e, adatom_dataset **out) {
    const size_t classes = (size_t)e->info.classes;
    adatom_status status = ADATOM_OK;
    adatom_model_info model = ADATOM_INIT(adatom_model_info);
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    char *origin = NULL;
    const char **names = ad_calloc(e->ctx, classes, sizeof *names);
    size_t *counts = ad_calloc(e->ctx, classes, sizeof *counts), first;
    if (!names || !counts) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (int c = 0; c < e->info.classes; c++) adatom_dataset_class(e->dataset, c, &names[c], &first, &counts[c]);
    if (e->kept_count < e->info.images) counts[0] = e->kept_count; /* only pictures without classes are left out */
    adatom_model_describe(e->session.model, &model);
    ad_feature_set set = {.name = e->info.name,
                          .classes = e->info.classes,
                          .names = names,
                          .counts = counts,
                          .images = e->kept_count,
                          .path = kept_path,
                          .user = e,
                          .values = e->values,
                          .width = (size_t)e->session.model->net.features,
                          .pixels_hash = ad_hash_end(e->hash),
                          .hash = e->info.hash[0] ? e->info.hash : NULL,
                          .model_hash = model.hash};
    e->values = NULL;
    e->hash = NULL;
    AD_TRY(ad_dataset_of_features(e->ctx, &set, out));
    adatom_dataset_describe(*out, &info);
    if (!(origin = describe(e, info.hash)))
        AD_TRY(ad_fail(e->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for what the features are of"));
    AD_TRY(ad_dataset_note_origin(*out, origin));
    if (ad_dataset_listing(e->dataset))
        ad_dataset_note(*out, e->info.background, ad_listing_damaged(ad_dataset_listing(e->dataset)));
done:
    if (status != ADATOM_OK) adatom_dataset_destroy(out);
    free(origin);
    ad_free(names);
    ad_free(counts);
    return status;
}

static adatom_status extract(extraction *e, adatom_dataset **out) {
    adatom_context *ctx = e->ctx;
    const adatom_model *model = e->model;
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_status status = ADATOM_OK;
    adatom_dataset_describe(e->dataset, &e->info);
    if (e->info.features) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "'%s' holds features already", e->info.name));
    if (e->info.image_size != model->net.image_size)
        AD_TRY(ad_fail(ctx, ADATOM_BAD_DATA, "the pictures are %d pixels, the model wants %d", e->info.image_size,
                       model->net.image_size));
    if (e->p.adapter) {
        /* The classifier is no part of the features: without other numbers the network is the model's own. */
        AD_TRY(adatom_adapter_merge(e->p.adapter, model, &e->merged));
        adatom_adapter_describe(e->p.adapter, &a);
        if (a.tensors > 0) model = e->merged;
    }
    e->session = ad_session_of(e->device, model);
    e->values = ad_malloc(ctx, e->info.images, (size_t)model->net.features * sizeof *e->values);
    e->kept = ad_malloc(ctx, e->info.images, sizeof *e->kept);
    if (!e->values || !e->kept) AD_TRY(ADATOM_OUT_OF_MEMORY);
    status = e->info.listed ? extract_listed(e) : extract_all(e);
    AD_TRY(status);
    AD_TRY(check_finite(e));
    AD_TRY(wrap(e, out));
done:
    ad_session_clear(&e->session);
    adatom_model_destroy(&e->merged);
    ad_hash_end(e->hash);
    ad_free(e->values);
    ad_free(e->kept);
    ad_free(e->pixels);
    ad_free(e->bad);
    ad_free(e->good);
    return status;
}

adatom_status adatom_features_compute(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                      const adatom_features_params *params, adatom_dataset **out) {
    extraction e = {.device = device,
                    .ctx = device->ctx,
                    .model = model,
                    .dataset = dataset,
                    .info = ADATOM_INIT(adatom_dataset_info)};
    *out = NULL;
    adatom_status status = AD_PARAMS(e.ctx, adatom_features_params, params, &e.p);
    const ad_call outer = ad_call_begin(e.ctx, e.p.progress, e.p.user);
    if (status == ADATOM_OK) status = extract(&e, out);
    return ad_call_end(e.ctx, &outer, status);
}
