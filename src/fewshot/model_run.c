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

adatom_status adatom_model_run(adatom_device *device, const adatom_model *model, const uint8_t *pixels, size_t count,
                               float *features, float *logits) {
    if (count == 0 || count > INT32_MAX) return ad_fail(device->ctx, ADATOM_USAGE, "%zu pictures cannot be run", count);
    if (logits && model->net.way == 0)
        return ad_fail(device->ctx, ADATOM_USAGE, "the model has no classifier, and so no logits");
    const ad_features_wanted wanted = {
        .device = device, .model = model, .pixels = pixels, .size = model->net.image_size, .count = count};
    outputs to = {model, features, logits};
    return ad_leave(device->ctx, ad_features_compute(&wanted, take_outputs, &to));
}
