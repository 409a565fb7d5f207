/* A model as a function of pictures: adatom_model_run(). */
#include "fewshot/features.h"

#include <adatom/transfer.h>
#include <string.h>

typedef struct outputs {
    const adatom_model *model;
    float *features, *logits; /* of all pictures; NULL: not wanted */
} outputs;

static void take_outputs(void *user, size_t first, size_t n, const float *values, size_t stride) {
    const outputs *to = user;
    const ad_network *net = &to->model->net;
    const size_t width = (size_t)net->features, way = (size_t)net->way;
    (void)stride;
    if (to->features) memcpy(to->features + first * width, values, n * width * sizeof *values);
    if (!to->logits) return;
    const float *weights = to->model->values + net->params[net->head].offset,
                *bias = to->model->values + net->params[net->head_bias].offset;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < way; c++) {
            double sum = (double)bias[c];
            for (size_t f = 0; f < width; f++) sum += (double)weights[c * width + f] * (double)values[i * width + f];
            to->logits[(first + i) * way + c] = (float)sum;
        }
}

/* A wanted output has room for count x width numbers. */
static adatom_status check_room(adatom_context *ctx, const char *what, const float *to, size_t capacity, size_t count,
                                size_t width) {
    if (!to || capacity / width >= count) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "%s of %zu pictures are %zu numbers each; there is room for %zu in all", what,
                   count, width, capacity);
}

adatom_status adatom_model_run(adatom_device *device, const adatom_model *model, const adatom_run_params *params,
                               const adatom_run_outputs *wanted_outputs) {
    adatom_context *ctx = device->ctx;
    const size_t features = (size_t)model->net.features, classes = (size_t)model->net.way;
    adatom_run_params p;
    adatom_run_outputs o;
    adatom_status status = AD_PARAMS(ctx, adatom_run_params, params, &p);
    if (status == ADATOM_OK) status = AD_PARAMS(ctx, adatom_run_outputs, wanted_outputs, &o);
    const ad_call outer = ad_call_begin(ctx, p.progress, p.user);
    AD_TRY(status);
    if (!p.pixels || p.count == 0 || p.count > INT32_MAX)
        AD_TRY(ad_fail(ctx, ADATOM_USAGE, "%zu pictures cannot be run", p.pixels ? p.count : 0));
    if (o.logits && classes == 0) AD_TRY(ad_fail(ctx, ADATOM_USAGE, "the model has no classifier, and so no logits"));
    AD_TRY(check_room(ctx, "features", o.features, o.features_capacity, p.count, features));
    AD_TRY(check_room(ctx, "logits", o.logits, o.logits_capacity, p.count, AD_MAX(classes, (size_t)1)));
    const ad_features_wanted wanted = {
        .device = device, .model = model, .pixels = p.pixels, .size = model->net.image_size, .count = p.count};
    outputs to = {model, o.features, o.logits};
    AD_TRY(ad_features_compute(&wanted, take_outputs, &to));
done:
    return ad_call_end(ctx, &outer, status);
}
