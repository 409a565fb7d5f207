#include "fewshot/calibration.h"

#include "io/json.h"

#include <math.h>
#include <stdlib.h>

typedef struct sample {
    const float *scores; /* [images][classes] */
    const float *familiarity;
    const int32_t *labels;
    size_t images;
    int classes;
    size_t counted; /* of the images */
} sample;

static bool counts(const sample *s, size_t i) {
    return isfinite(s->scores[i * (size_t)s->classes]) && isfinite(s->familiarity[i]);
}

/* The mean loss at the temperature 1/beta, and its derivative by beta, where the true class has 1 - doubt of the
 * probability that is aimed at and the others share the rest. */
static double loss_at(const sample *s, double beta, double doubt, double *slope) {
    const double other = doubt / (s->classes - 1);
    double loss = 0;
    *slope = 0;
    for (size_t i = 0; i < s->images; i++) {
        const float *row = s->scores + i * (size_t)s->classes;
        double largest = -INFINITY, sum = 0, mean = 0, aim = 0;
        if (!counts(s, i)) continue;
        for (int c = 0; c < s->classes; c++) largest = fmax(largest, (double)row[c]);
        for (int c = 0; c < s->classes; c++) {
            const double above = (double)row[c] - largest, part = exp(beta * above);
            sum += part;
            mean += part * above;
            aim += (c == s->labels[i] ? 1 - doubt : other) * above;
        }
        loss += log(sum) - beta * aim;
        *slope += mean / sum - aim;
    }
    *slope /= (double)s->counted;
    return loss / (double)s->counted;
}

/* The loss is convex in beta, so that the zero of its slope is where it is least. Few pictures that are all right would
 * ask for certainty: as one more picture, spread over the other classes, they leave a doubt [as Platt 1999 does]. */
static double find_temperature(const sample *s) {
    const double doubt = 1.0 / ((double)s->counted + 2);
    double low = log(1 / AD_TEMPERATURE_MOST), high = log(1 / AD_TEMPERATURE_LEAST), slope;
    for (int turn = 0; turn < 60; turn++) {
        const double middle = 0.5 * (low + high);
        loss_at(s, exp(middle), doubt, &slope);
        if (slope > 0)
            high = middle;
        else
            low = middle;
    }
    return exp(-0.5 * (low + high));
}

static int ascending(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Those of the pictures that count, or so many of them. */
static adatom_status keep_familiarity(adatom_context *ctx, const sample *s, ad_calibration *out) {
    float *all = ad_malloc(ctx, s->counted, sizeof *all);
    size_t n = 0;
    if (!all) return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < s->images; i++)
        if (counts(s, i)) all[n++] = s->familiarity[i];
    qsort(all, n, sizeof *all, ascending);
    out->count = (int)AD_MIN(n, (size_t)AD_CALIBRATION_MOST);
    /* Where it is a part of them, each stands for a stretch of which it is the least, so that the share of pictures
     * that look no more familiar is never told too small. */
    for (size_t k = 0; k < (size_t)out->count; k++) all[k] = all[k * n / (size_t)out->count];
    out->familiarity = all;
    return ADATOM_OK;
}

adatom_status ad_calibrate(adatom_context *ctx, const float *scores, const float *familiarity, const int32_t *labels,
                           size_t images, int classes, ad_calibration *out) {
    sample s = {.scores = scores, .familiarity = familiarity, .labels = labels, .images = images, .classes = classes};
    double slope;
    *out = (ad_calibration){.temperature = 1};
    for (size_t i = 0; i < images; i++) s.counted += counts(&s, i);
    if (s.counted == 0) return ADATOM_OK;
    out->temperature = (float)find_temperature(&s);
    out->loss_before = (float)loss_at(&s, 1, 0, &slope);
    out->loss = (float)loss_at(&s, 1 / (double)out->temperature, 0, &slope);
    out->pictures = (int)s.counted;
    return keep_familiarity(ctx, &s, out);
}

void ad_calibration_clear(ad_calibration *c) {
    ad_free(c->familiarity);
    *c = (ad_calibration){0};
}

double ad_calibration_typicality(const ad_calibration *c, double familiarity) {
    int low = 0, high = c->count; /* the first that is more familiar */
    while (low < high) {
        const int middle = (low + high) / 2;
        if ((double)c->familiarity[middle] <= familiarity)
            low = middle + 1;
        else
            high = middle;
    }
    const double below = floor((double)low * c->pictures / c->count);
    return (1 + below) / (1 + (double)c->pictures);
}

double ad_calibration_least(const ad_calibration *c) { return 1 / (1 + (double)c->pictures); }

json_t *ad_calibration_json(const ad_calibration *c) {
    bool bad = false;
    json_t *familiarity = json_array();
    for (int k = 0; k < c->count; k++) ad_json_append(familiarity, json_real((double)c->familiarity[k]), &bad);
    json_t *json = json_pack("{s:i, s:f, s:f, s:f}", "pictures", c->pictures, "temperature", (double)c->temperature,
                             "loss_before", (double)c->loss_before, "loss", (double)c->loss);
    ad_json_set(json, "familiarity", familiarity, &bad);
    if (!bad) return json;
    json_decref(json);
    return NULL;
}

adatom_status ad_calibration_parse(adatom_context *ctx, const char *name, json_t *json, ad_calibration *out) {
    json_t *familiarity = NULL, *one;
    json_int_t pictures = 0;
    double temperature = 0, loss_before = 0, loss = 0;
    json_error_t error;
    size_t k;
    *out = (ad_calibration){.temperature = 1};
    if (!json) return ADATOM_OK;
    const bool lacks =
        json_unpack_ex(json, &error, 0, "{s:I, s:F, s:F, s:F, s:o}", "pictures", &pictures, "temperature", &temperature,
                       "loss_before", &loss_before, "loss", &loss, "familiarity", &familiarity) != 0;
    if (lacks && ad_json_memory(ctx, &error) != ADATOM_OK) return ADATOM_OUT_OF_MEMORY;
    const size_t count = json_array_size(familiarity);
    bool possible = !lacks && pictures >= 1 && pictures <= INT32_MAX && count >= 1 && count <= AD_CALIBRATION_MOST &&
                    (json_int_t)count <= pictures && temperature >= AD_TEMPERATURE_LEAST / 2 &&
                    temperature <= AD_TEMPERATURE_MOST * 2 && fabs(loss_before) <= 1e30 && fabs(loss) <= 1e30;
    if (possible && !(out->familiarity = ad_malloc(ctx, count, sizeof *out->familiarity))) return ADATOM_OUT_OF_MEMORY;
    json_array_foreach(possible ? familiarity : NULL, k, one) {
        out->familiarity[k] = (float)json_number_value(one);
        possible = possible && json_is_number(one) && isfinite(out->familiarity[k]) &&
                   (k == 0 || out->familiarity[k] >= out->familiarity[k - 1]);
    }
    out->pictures = (int)pictures;
    out->temperature = (float)temperature;
    out->loss_before = (float)loss_before;
    out->loss = (float)loss;
    out->count = (int)count;
    if (possible) return ADATOM_OK;
    ad_calibration_clear(out);
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "'%s': its calibration lacks a member or has an impossible one (pictures, temperature, loss_before, "
                   "loss, familiarity in ascending order)",
                   name);
}
