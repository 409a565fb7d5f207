/* Turns the rows of a picture into square uint8 RGB: antialiased scaling, crop from the centre, orientation. */
#include "io/decode.h"

#include <math.h>
#include <string.h>

static void axis_free(ad_axis *a) {
    ad_free(a->first);
    ad_free(a->taps);
    ad_free(a->weights);
}

/* Makes one axis of the triangle filter: output pixel i of `count` is the weighted sum of taps[i] input pixels from
 * first[i] on. The outputs are pixels offset..offset+count-1 of an axis on which `extent` input pixels become `out`.
 * There are `in` input pixels, of which the last may count only in part (extent < in). */
static adatom_status axis_make(double extent, int in, int out, int offset, int count, ad_axis *a) {
    double scale = extent / out, support = AD_MAX(scale, 1.0);
    a->taps_max = (int)(2 * support) + 3;
    a->first = ad_malloc(NULL, (size_t)count, sizeof *a->first);
    a->taps = ad_malloc(NULL, (size_t)count, sizeof *a->taps);
    a->weights = ad_malloc(NULL, (size_t)count, (size_t)a->taps_max * sizeof *a->weights);
    if (!a->first || !a->taps || !a->weights) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < count; i++) {
        double centre = (i + offset + 0.5) * scale, sum = 0;
        int from = (int)AD_MAX(0.0, floor(centre - support + 0.5)),
            to = (int)AD_MIN((double)in, floor(centre + support + 0.5));
        float *w = a->weights + (size_t)i * (size_t)a->taps_max;
        for (int j = from; j < to; j++) sum += AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support));
        for (int j = from; j < to; j++)
            w[j - from] = (float)(AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support)) / sum);
        a->first[i] = from;
        a->taps[i] = to - from;
    }
    return ADATOM_OK;
}

/* Whether the stored axes run backwards in the shown picture, by EXIF orientation. */
static bool x_reversed(int orientation) {
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}
static bool y_reversed(int orientation) {
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

adatom_status ad_fit_begin(ad_fit *fit, int width, int height, int shrink, int orientation, int size, int resize,
                           uint8_t *out) {
    *fit = (ad_fit){.width = (width + shrink - 1) / shrink,
                    .height = (height + shrink - 1) / shrink,
                    .size = size,
                    .orientation = orientation,
                    .copy = width == size && height == size && resize == size && shrink == 1,
                    .out = out};
    adatom_status status = ADATOM_OK;
    if (fit->copy) return ADATOM_OK;
    int shorter = AD_MIN(width, height);
    int scaled_width = (int)((int64_t)width * resize / shorter),
        scaled_height = (int)((int64_t)height * resize / shorter);
    /* The crop is centred in the shown picture. Where an axis runs backwards, the odd pixel of the crop is on the other
     * side. */
    int left = (scaled_width - size) / 2, top = (scaled_height - size) / 2;
    if (x_reversed(orientation)) left = scaled_width - size - left;
    if (y_reversed(orientation)) top = scaled_height - size - top;
    AD_TRY(axis_make((double)width / shrink, fit->width, scaled_width, left, size, &fit->x));
    AD_TRY(axis_make((double)height / shrink, fit->height, scaled_height, top, size, &fit->y));
    fit->open_max = 1;
    /* While row first[i] of the picture comes, rows from..i of the square are unfinished. */
    for (int i = 0, from = 0; i < size; i++) {
        while (fit->y.first[from] + fit->y.taps[from] <= fit->y.first[i]) from++;
        fit->open_max = AD_MAX(fit->open_max, i - from + 1);
    }
    size_t stride = (size_t)size * 3;
    fit->sums = ad_calloc(NULL, (size_t)fit->open_max, stride * sizeof *fit->sums);
    fit->scaled = ad_malloc(NULL, stride, sizeof *fit->scaled);
    fit->numbers = ad_calloc(NULL, (size_t)fit->width * 3 + 1, sizeof *fit->numbers);
    fit->bytes = ad_malloc(NULL, stride, sizeof *fit->bytes);
    if (!fit->sums || !fit->scaled || !fit->numbers || !fit->bytes) status = ADATOM_OUT_OF_MEMORY;
done:
    return status;
}

/* Writes row i of the square, in the order of storage, to its place in the shown picture. */
static void write_row(const ad_fit *fit, int i, const uint8_t *rgb) {
    const int size = fit->size, last = size - 1;
    const bool transposed = fit->orientation >= 5, back = x_reversed(fit->orientation);
    const int row = y_reversed(fit->orientation) ? last - i : i;
    if (!transposed && !back) {
        memcpy(fit->out + (size_t)row * (size_t)size * 3, rgb, (size_t)size * 3);
        return;
    }
    for (int j = 0; j < size; j++) {
        int column = back ? last - j : j;
        size_t at =
            transposed ? (size_t)column * (size_t)size + (size_t)row : (size_t)row * (size_t)size + (size_t)column;
        memcpy(fit->out + at * 3, rgb + (size_t)j * 3, 3);
    }
}

typedef float four __attribute__((vector_size(16), aligned(4)));

/* Scales a row horizontally. It is first converted to floats once. Each pixel's taps are then summed in vectors of four
 * lanes: three colours, and a fourth lane that is ignored. */
static void scale_row(const ad_fit *fit, const uint8_t *restrict rgb) {
    const int size = fit->size, taps_max = fit->x.taps_max;
    const int *restrict first = fit->x.first, *restrict taps = fit->x.taps;
    const size_t from = (size_t)first[0] * 3, to = (size_t)(first[size - 1] + taps[size - 1]) * 3;
    float *restrict numbers = fit->numbers;
    for (size_t k = from; k < to; k++) numbers[k] = (float)rgb[k];
    const float *restrict w = fit->x.weights;
    float *restrict out = fit->scaled;
    for (int i = 0; i < size; i++, w += taps_max, out += 3) {
        const float *restrict in = numbers + (size_t)first[i] * 3;
        four sum = {0, 0, 0, 0};
        for (int j = 0, n = taps[i]; j < n; j++, in += 3) {
            four pixel;
            memcpy(&pixel, in, sizeof pixel);
            sum += w[j] * pixel;
        }
        memcpy(out, &sum, 3 * sizeof *out);
    }
}

static void add_row(float *restrict sums, const float *restrict row, float weight, size_t count) {
    for (size_t k = 0; k < count; k++) sums[k] += weight * row[k];
}

static void round_row(uint8_t *restrict out, const float *restrict sums, size_t count) {
    for (size_t k = 0; k < count; k++) out[k] = (uint8_t)(int)AD_MIN(255.0f, sums[k] + 0.5f);
}

void ad_fit_row(ad_fit *fit, const uint8_t *rgb) {
    const int r = fit->row++;
    if (r >= fit->height) return;
    if (fit->copy) {
        write_row(fit, r, rgb);
        return;
    }
    if (fit->done == fit->size || r < fit->y.first[fit->done]) return; /* the row is outside the crop */
    scale_row(fit, rgb);
    const size_t stride = (size_t)fit->size * 3;
    for (int i = fit->done; i < fit->size && fit->y.first[i] <= r; i++) {
        const int tap = r - fit->y.first[i];
        float *sums = fit->sums + (size_t)(i % fit->open_max) * stride;
        add_row(sums, fit->scaled, fit->y.weights[(size_t)i * (size_t)fit->y.taps_max + (size_t)tap], stride);
        if (tap + 1 < fit->y.taps[i]) continue;
        round_row(fit->bytes, sums, stride);
        write_row(fit, i, fit->bytes);
        memset(sums, 0, stride * sizeof *sums);
        fit->done = i + 1;
    }
}

void ad_fit_end(ad_fit *fit) {
    axis_free(&fit->x);
    axis_free(&fit->y);
    ad_free(fit->sums);
    ad_free(fit->scaled);
    ad_free(fit->numbers);
    ad_free(fit->bytes);
    *fit = (ad_fit){0};
}

adatom_status ad_image_fit(const uint8_t *rgb, int width, int height, int size, int resize, uint8_t *out) {
    ad_fit fit;
    adatom_status status = ad_fit_begin(&fit, width, height, 1, 1, size, resize, out);
    for (int r = 0; status == ADATOM_OK && r < height; r++) ad_fit_row(&fit, rgb + (size_t)r * (size_t)width * 3);
    ad_fit_end(&fit);
    return status;
}
