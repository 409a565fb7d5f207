/* Encoded picture -> square uint8 RGB. */
#include "io/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* of stb_image: told at the end of the file */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_PNM
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 20)
#define STBI_MALLOC(size) ad_malloc(NULL, size, 1)
#define STBI_REALLOC_SIZED(memory, old_size, size) ad_realloc(NULL, memory, old_size, size, 1)
#define STBI_FREE(memory) ad_free(memory)
#include <stb_image.h>
#pragma GCC diagnostic pop

static adatom_status fail(ad_image_error *error, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
static adatom_status fail(ad_image_error *error, adatom_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    error->status = status;
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    return status;
}

/* stb_image fills what is missing of a truncated JPEG, BMP, GIF or PNM with anything and calls that success. Reading through
 * callbacks shows it: a whole picture never makes the decoder ask for bytes behind its end. Only its own buffer, the one it
 * fills first, may be filled in part. */
typedef struct reader {
    const char *bytes;
    const void *buffer;
    size_t size, at;
    bool overrun;
} reader;

static int reader_read(void *user, char *data, int size) {
    reader *r = user;
    size_t n = AD_MIN((size_t)size, r->size - r->at);
    if (!r->buffer) r->buffer = data;
    if (n == 0 || (n < (size_t)size && data != r->buffer)) r->overrun = true;
    memcpy(data, r->bytes + r->at, n);
    memset(data + n, 0, (size_t)size - n);
    r->at += n;
    return (int)n;
}

static void reader_skip(void *user, int n) {
    reader *r = user;
    if (n < 0) {
        r->at -= AD_MIN((size_t)-n, r->at);
    } else {
        if ((size_t)n > r->size - r->at) r->overrun = true;
        r->at += AD_MIN((size_t)n, r->size - r->at);
    }
}

static int reader_eof(void *user) { return ((reader *)user)->at >= ((reader *)user)->size; }

/* One axis of the triangle filter: output pixel i of `count` reads taps[i] weights from input pixel first[i] on. */
typedef struct axis {
    int taps_max;
    int *first, *taps;
    float *weights; /* [count][taps_max] */
} axis;

static void axis_free(axis *a) {
    ad_free(a->first);
    ad_free(a->taps);
    ad_free(a->weights);
}

/* Output pixels offset..offset+count-1 of an axis that scales `in` pixels to `out`. */
static adatom_status axis_make(int in, int out, int offset, int count, axis *a) {
    double scale = (double)in / out, support = AD_MAX(scale, 1.0);
    a->taps_max = (int)(2 * support) + 3;
    a->first = ad_malloc(NULL, (size_t)count, sizeof *a->first);
    a->taps = ad_malloc(NULL, (size_t)count, sizeof *a->taps);
    a->weights = ad_malloc(NULL, (size_t)count, (size_t)a->taps_max * sizeof *a->weights);
    if (!a->first || !a->taps || !a->weights) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < count; i++) {
        double centre = (i + offset + 0.5) * scale, sum = 0;
        int from = (int)AD_MAX(0.0, floor(centre - support + 0.5)), to = (int)AD_MIN((double)in, floor(centre + support + 0.5));
        float *w = a->weights + (size_t)i * (size_t)a->taps_max;
        for (int j = from; j < to; j++) sum += AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support));
        for (int j = from; j < to; j++) w[j - from] = (float)(AD_MAX(0.0, 1.0 - fabs((j + 0.5 - centre) / support)) / sum);
        a->first[i] = from;
        a->taps[i] = to - from;
    }
    return ADATOM_OK;
}

adatom_status ad_image_fit(const uint8_t *rgb, int width, int height, int size, int resize, uint8_t *out) {
    if (width == size && height == size && resize == size) {
        memcpy(out, rgb, (size_t)size * (size_t)size * 3);
        return ADATOM_OK;
    }
    int shorter = AD_MIN(width, height);
    int scaled_width = (int)((int64_t)width * resize / shorter), scaled_height = (int)((int64_t)height * resize / shorter);
    axis x = {0}, y = {0};
    float *rows = NULL;
    adatom_status status = ADATOM_OK;
    AD_TRY(axis_make(width, scaled_width, (scaled_width - size) / 2, size, &x));
    AD_TRY(axis_make(height, scaled_height, (scaled_height - size) / 2, size, &y));
    int top = y.first[0], bottom = y.first[size - 1] + y.taps[size - 1];
    size_t stride = (size_t)size * 3;
    rows = ad_malloc(NULL, (size_t)(bottom - top), stride * sizeof *rows);
    if (!rows) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (int r = top; r < bottom; r++) {
        float *row = rows + (size_t)(r - top) * stride;
        for (int i = 0; i < size; i++) {
            const uint8_t *in = rgb + ((size_t)r * (size_t)width + (size_t)x.first[i]) * 3;
            const float *w = x.weights + (size_t)i * (size_t)x.taps_max;
            float sum[3] = {0, 0, 0};
            for (int j = 0; j < x.taps[i]; j++) {
                for (int c = 0; c < 3; c++) sum[c] += w[j] * (float)in[j * 3 + c];
            }
            memcpy(row + i * 3, sum, sizeof sum);
        }
    }
    for (int i = 0; i < size; i++) {
        const float *w = y.weights + (size_t)i * (size_t)y.taps_max, *in = rows + (size_t)(y.first[i] - top) * stride;
        for (size_t k = 0; k < stride; k++) {
            float sum = 0;
            for (int j = 0; j < y.taps[i]; j++) sum += w[j] * in[(size_t)j * stride + k];
            out[(size_t)i * stride + k] = (uint8_t)AD_MIN(255.0f, sum + 0.5f);
        }
    }
done:
    axis_free(&x);
    axis_free(&y);
    ad_free(rows);
    return status;
}

adatom_status ad_image_decode(const char *bytes, size_t bytes_size, int size, int resize, uint64_t max_pixels, uint8_t *out,
                              ad_image_error *error) {
    int width = 0, height = 0, channels = 0;
    *error = (ad_image_error){0};
    if (bytes_size == 0) return fail(error, ADATOM_BAD_DATA, "is empty");
    if (bytes_size > INT32_MAX || !stbi_info_from_memory((const stbi_uc *)bytes, (int)bytes_size, &width, &height, &channels)) {
        const char *what = ad_sniff(bytes, bytes_size), *reason = stbi_failure_reason();
        if (reason && !strcmp(reason, "outofmem")) return fail(error, ADATOM_OUT_OF_MEMORY, "does not fit into memory");
        if (what && (strstr(what, "JPEG") || strstr(what, "PNG")))
            return fail(error, ADATOM_BAD_DATA, "is %s with a damaged or absurd header", what);
        return fail(error, ADATOM_BAD_DATA, "is %s, not an image of a kind that is read (JPEG, PNG, BMP, GIF, PNM)",
                    what ? what : "damaged or unknown");
    }
    if (width < 1 || height < 1) return fail(error, ADATOM_BAD_DATA, "is %d x %d pixels", width, height);
    if ((uint64_t)width * (uint64_t)height > max_pixels)
        return fail(error, ADATOM_BAD_DATA, "is %d x %d pixels, more than the %llu accepted", width, height,
                    (unsigned long long)max_pixels);
    /* A strip is scaled until its shorter side fits: the longer one must stay within reason, too. */
    if (AD_MAX(width, height) / AD_MIN(width, height) > 1024)
        return fail(error, ADATOM_BAD_DATA, "is a strip of %d x %d pixels", width, height);

    static const stbi_io_callbacks callbacks = {reader_read, reader_skip, reader_eof};
    reader source = {.bytes = bytes, .size = bytes_size};
    uint8_t *rgba = stbi_load_from_callbacks(&callbacks, &source, &width, &height, &channels, 4);
    if (!rgba) {
        const char *reason = stbi_failure_reason();
        if (reason && !strcmp(reason, "outofmem")) return fail(error, ADATOM_OUT_OF_MEMORY, "does not fit into memory");
        return source.overrun ? fail(error, ADATOM_BAD_DATA, "is truncated")
                              : fail(error, ADATOM_BAD_DATA, "is damaged (%s)", reason ? reason : "no reason given");
    }
    adatom_status status = ADATOM_OK;
    if (source.overrun) {
        status = fail(error, ADATOM_BAD_DATA, "is truncated");
    } else {
        /* In place: three bytes are written where four were read. */
        for (size_t i = 0, n = (size_t)width * (size_t)height; i < n; i++) {
            unsigned alpha = rgba[4 * i + 3];
            for (size_t c = 0; c < 3; c++) rgba[3 * i + c] = (uint8_t)((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
        }
        status = ad_image_fit(rgba, width, height, size, resize, out);
        if (status != ADATOM_OK) fail(error, status, "does not fit into memory");
    }
    ad_free(rgba);
    return status;
}
