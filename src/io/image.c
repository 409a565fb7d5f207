/* Turns the rows of a picture into square uint8 RGB: antialiased scaling, crop from the centre, orientation. */
#include "io/decode.h"

#include <string.h>

/* Whether the stored axes run backwards in the shown picture, by EXIF orientation. */
static bool x_reversed(int orientation) {
    return orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
}
static bool is_transposed(int orientation) { return orientation >= 5; }
static bool y_reversed(int orientation) {
    return orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
}

/* Returns the first pixel of the square on an axis of `scaled` pixels, in the order of storage. If an odd number of
 * pixels is left out, one more is left out behind the square; but torchvision rounds halves to even, so that every
 * other time one more is left out before it. */
static int crop_start(int scaled, int size, bool as_torchvision, bool reversed) {
    const int spare = scaled - size;
    const int before = spare / 2 + (as_torchvision && spare % 4 == 3);
    return reversed ? spare - before : before;
}

/* Delimit the numbers of a row that contribute to the square. */
static size_t span_from(const ad_fit *fit) { return (size_t)fit->x.first[0] * 3; }
static size_t span_to(const ad_fit *fit) {
    return (size_t)(fit->x.first[fit->size - 1] + fit->x.taps[fit->size - 1]) * 3;
}

adatom_status ad_fit_begin(ad_fit *fit, const ad_image_params *params, int width, int height, int shrink,
                           int orientation, uint8_t *out) {
    const int size = params->size, resize = params->resize;
    *fit = (ad_fit){.width = (width + shrink - 1) / shrink,
                    .height = (height + shrink - 1) / shrink,
                    .size = size,
                    .orientation = orientation,
                    .copy = width == size && height == size && resize == size && shrink == 1,
                    .whole = ad_is_whole(params->interpolation),
                    .out = out};
    adatom_status status = ADATOM_OK;
    if (fit->copy) return ADATOM_OK;
    const int shorter = AD_MIN(width, height);
    const int scaled_width = (int)((int64_t)width * resize / shorter),
              scaled_height = (int)((int64_t)height * resize / shorter);
    /* The crop is centred in the shown picture. */
    const bool x_back = x_reversed(orientation), y_back = y_reversed(orientation);
    const ad_axis_place x = {.extent = width,
                             .scaled = scaled_width,
                             .offset = crop_start(scaled_width, size, fit->whole, x_back),
                             .count = size,
                             .in = fit->width,
                             .shrink = shrink,
                             .reversed = x_back};
    const ad_axis_place y = {.extent = height,
                             .scaled = scaled_height,
                             .offset = crop_start(scaled_height, size, fit->whole, y_back),
                             .count = size,
                             .in = fit->height,
                             .shrink = shrink,
                             .reversed = y_back};
    const bool cubic = params->interpolation == ADATOM_INTERPOLATION_BICUBIC;
    AD_TRY(fit->whole ? ad_axis_make_whole(&x, cubic, &fit->x) : ad_axis_make(&x, &fit->x));
    AD_TRY(fit->whole ? ad_axis_make_whole(&y, cubic, &fit->y) : ad_axis_make(&y, &fit->y));
    fit->open_max = 1;
    /* While row first[i] of the picture comes, rows from..i of the square are unfinished. */
    for (int i = 0, from = 0; i < size; i++) {
        while (fit->y.first[from] + fit->y.taps[from] <= fit->y.first[i]) from++;
        fit->open_max = AD_MAX(fit->open_max, i - from + 1);
    }
    /* Pillow scales first along the rows as they are shown. */
    fit->vertical_first = fit->whole && is_transposed(orientation);
    fit->stride = fit->vertical_first ? span_to(fit) - span_from(fit) : (size_t)size * 3;
    const size_t row = (size_t)size * 3;
    _Static_assert(sizeof(float) == sizeof(int32_t), "either kind of numbers has the same room");
    fit->sums.real = ad_calloc(NULL, (size_t)fit->open_max, fit->stride * sizeof *fit->sums.real);
    fit->scaled.real = ad_malloc(NULL, row, sizeof *fit->scaled.real);
    fit->numbers.real = ad_calloc(NULL, (size_t)fit->width * 3 + 1, sizeof *fit->numbers.real);
    fit->bytes = ad_malloc(NULL, row, sizeof *fit->bytes);
    if (!fit->sums.real || !fit->scaled.real || !fit->numbers.real || !fit->bytes) status = ADATOM_OUT_OF_MEMORY;
done:
    return status;
}

/* Writes row i of the square, in the order of storage, to its place in the shown picture. */
static void write_row(const ad_fit *fit, int i, const uint8_t *rgb) {
    const int size = fit->size, last = size - 1;
    const bool transposed = is_transposed(fit->orientation), back = x_reversed(fit->orientation);
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
    const size_t from = span_from(fit), to = span_to(fit);
    float *restrict numbers = fit->numbers.real;
    for (size_t k = from; k < to; k++) numbers[k] = (float)rgb[k];
    const float *restrict w = fit->x.weights;
    float *restrict out = fit->scaled.real;
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

typedef int32_t four_whole __attribute__((vector_size(16), aligned(4)));
enum { HALF = 1 << (AD_WHOLE_BITS - 1) };

static inline four_whole to_byte(four_whole sum) {
    four_whole v = sum >> AD_WHOLE_BITS;
    v &= ~(v >> 31);
    const four_whole above = v > 255;
    return (v & ~above) | (above & 255);
}

/* Scales a row horizontally in integers, from fit->numbers to fit->scaled, and rounds it to bytes as Pillow does. */
static inline __attribute__((always_inline)) void scale_numbers_whole(const ad_fit *fit) {
    const int size = fit->size, taps_max = fit->x.taps_max;
    const int *restrict first = fit->x.first, *restrict taps = fit->x.taps;
    const int32_t *restrict numbers = fit->numbers.whole, *restrict w = fit->x.whole_weights;
    int32_t *restrict out = fit->scaled.whole;
    for (int i = 0; i < size; i++, w += taps_max, out += 3) {
        const int32_t *restrict in = numbers + (size_t)first[i] * 3;
        four_whole sum = {HALF, HALF, HALF, HALF};
        for (int j = 0, n = taps[i]; j < n; j++, in += 3) {
            four_whole pixel;
            memcpy(&pixel, in, sizeof pixel);
            sum += w[j] * pixel;
        }
        sum = to_byte(sum);
        memcpy(out, &sum, 3 * sizeof *out);
    }
}

static inline __attribute__((always_inline)) void add_row_whole(int32_t *restrict sums, const int32_t *restrict row,
                                                                int32_t weight, size_t count) {
    for (size_t k = 0; k < count; k++) sums[k] += weight * row[k];
}

static int32_t rounded(int32_t sum) {
    const int32_t v = (sum + HALF) >> AD_WHOLE_BITS;
    return AD_MAX(0, AD_MIN(255, v));
}

/* Plain x86-64 has no instruction for four products of 32-bit integers; AVX2 has. The sums are the same. */
#ifdef __x86_64__
__attribute__((target("avx2"))) static void scale_numbers_avx2(const ad_fit *fit) { scale_numbers_whole(fit); }
__attribute__((target("avx2"))) static void add_row_avx2(int32_t *restrict sums, const int32_t *restrict row,
                                                         int32_t weight, size_t count) {
    add_row_whole(sums, row, weight, count);
}
static bool has_avx2(void) { return __builtin_cpu_supports("avx2"); }
#else
static void scale_numbers_avx2(const ad_fit *fit) { scale_numbers_whole(fit); }
static void add_row_avx2(int32_t *restrict sums, const int32_t *restrict row, int32_t weight, size_t count) {
    add_row_whole(sums, row, weight, count);
}
static bool has_avx2(void) { return true; }
#endif

static void scale_numbers(const ad_fit *fit) {
    if (has_avx2())
        scale_numbers_avx2(fit);
    else
        scale_numbers_whole(fit);
}

/* Takes a row of the picture, scaled unless rows are scaled last, to be added to the sums of rows of the square. */
static void take_row(const ad_fit *fit, const uint8_t *restrict rgb) {
    if (!fit->whole) {
        scale_row(fit, rgb);
        return;
    }
    int32_t *restrict numbers = fit->numbers.whole;
    for (size_t k = span_from(fit), to = span_to(fit); k < to; k++) numbers[k] = rgb[k];
    if (!fit->vertical_first) scale_numbers(fit);
}

/* Adds tap `tap` of row i of the square to its sums. */
static void add_tap(const ad_fit *fit, int i, int tap) {
    const size_t at = (size_t)(i % fit->open_max) * fit->stride,
                 weight = (size_t)i * (size_t)fit->y.taps_max + (size_t)tap;
    if (!fit->whole) {
        add_row(fit->sums.real + at, fit->scaled.real, fit->y.weights[weight], fit->stride);
        return;
    }
    const int32_t *row = fit->vertical_first ? fit->numbers.whole + span_from(fit) : fit->scaled.whole;
    if (has_avx2())
        add_row_avx2(fit->sums.whole + at, row, fit->y.whole_weights[weight], fit->stride);
    else
        add_row_whole(fit->sums.whole + at, row, fit->y.whole_weights[weight], fit->stride);
}

/* Writes row i of the square, whose sums are complete, and clears the sums for another row. */
static void finish_row(const ad_fit *fit, int i) {
    const size_t stride = fit->stride, at = (size_t)(i % fit->open_max) * stride;
    if (!fit->whole) {
        round_row(fit->bytes, fit->sums.real + at, stride);
    } else if (!fit->vertical_first) {
        for (size_t k = 0; k < stride; k++) fit->bytes[k] = (uint8_t)rounded(fit->sums.whole[at + k]);
    } else {
        int32_t *numbers = fit->numbers.whole + span_from(fit);
        for (size_t k = 0; k < stride; k++) numbers[k] = rounded(fit->sums.whole[at + k]);
        scale_numbers(fit);
        for (size_t k = 0; k < (size_t)fit->size * 3; k++) fit->bytes[k] = (uint8_t)fit->scaled.whole[k];
    }
    write_row(fit, i, fit->bytes);
    memset(fit->sums.real + at, 0, stride * sizeof *fit->sums.real);
}

/* Returns the last row of the square to which row r of the picture contributes. */
static int last_open(const ad_fit *fit, int r) {
    int i = fit->done;
    while (i + 1 < fit->size && fit->y.first[i + 1] <= r) i++;
    return i;
}

void ad_fit_row(ad_fit *fit, const uint8_t *rgb) {
    const int r = fit->row++;
    if (r >= fit->height) return;
    if (fit->copy) {
        write_row(fit, r, rgb);
        return;
    }
    if (fit->done == fit->size || r < fit->y.first[fit->done]) return; /* the row is outside the crop */
    const int last = last_open(fit, r);
    take_row(fit, rgb);
    for (int i = fit->done; i <= last; i++) add_tap(fit, i, r - fit->y.first[i]);
    while (fit->done <= last && fit->y.first[fit->done] + fit->y.taps[fit->done] == r + 1) finish_row(fit, fit->done++);
}

void ad_fit_end(ad_fit *fit) {
    ad_axis_free(&fit->x);
    ad_axis_free(&fit->y);
    ad_free(fit->sums.real);
    ad_free(fit->scaled.real);
    ad_free(fit->numbers.real);
    ad_free(fit->bytes);
    *fit = (ad_fit){0};
}
