/* A model as a function of pictures. */
#include "fewshot/features.h"
#include "fewshot/run.h"

#include <adatom/transfer.h>
#include <string.h>

typedef struct results {
    const adatom_model *model;
    float *features, *logits; /* of all pictures; NULL: not wanted */
} results;

static void take(void *user, size_t first, size_t count, const float *values) {
    const results *r = user;
    const ad_network *net = &r->model->net;
    const size_t width = (size_t)net->features, way = (size_t)net->way;
    if (r->features) memcpy(r->features + first * width, values, count * width * sizeof *values);
    if (!r->logits) return;
    const float *weights = r->model->values + net->params[net->head].offset,
                *bias = r->model->values + net->params[net->head_bias].offset;
    for (size_t i = 0; i < count; i++)
        for (size_t c = 0; c < way; c++) {
            double sum = (double)bias[c];
            for (size_t f = 0; f < width; f++) sum += (double)weights[c * width + f] * (double)values[i * width + f];
            r->logits[(first + i) * way + c] = (float)sum;
        }
}

adatom_status adatom_model_run(adatom_device *device, const adatom_model *model, const uint8_t *pixels, size_t count,
                               float *features, float *logits) {
    const int size = model->net.image_size;
    if (count == 0 || count > INT32_MAX) return ad_fail(device->ctx, ADATOM_USAGE, "%zu pictures cannot be run", count);
    if (logits && model->net.way == 0)
        return ad_fail(device->ctx, ADATOM_USAGE, "the model has no classifier, and so no logits");
    results wanted = {model, features, logits};
    return ad_leave(device->ctx, ad_features_compute(device, model, pixels, size, NULL, count, 0, take, &wanted));
}
