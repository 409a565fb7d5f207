/* GATHER: images of the data set, cropped, flipped, turned, jittered and normalised; GATHER_ROWS: features. One item
 * per image. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <string.h>

enum { CROP_CENTRE, CROP_SHIFT, CROP_RESIZE };

/* What one image's random numbers decided. */
typedef struct view {
    int a0, b0;           /* CROP_SHIFT: what is added to an output row and column */
    float y0, x0, ch, cw; /* CROP_RESIZE: crop in source pixels */
    bool flip;
    float brightness, contrast, saturation; /* factors */
} view;

static uint32_t below(uint32_t word, int bound) { return ((word >> 16) * (uint32_t)bound) >> 16; }
static float factor(float strength, uint32_t word) { return 1 + strength * (2 * ad_uniform(word) - 1); }

static view choose(const ad_op *op, uint32_t step, uint32_t number) {
    const float *f = op->f;
    const uint32_t key[2] = {(uint32_t)op->i[6], 0};
    uint32_t where[4], how[4];
    ad_philox((const uint32_t[4]){0, step, number, AD_STREAM_AUGMENT}, key, where);
    ad_philox((const uint32_t[4]){1, step, number, AD_STREAM_AUGMENT}, key, how);
    view v = {.flip = (op->flags & AD_FLIP) && !(how[0] >> 31)};
    if (op->i[4] == CROP_SHIFT) {
        v.a0 = (int)below(where[0], 2 * op->i[5] + 1) - op->i[5];
        v.b0 = (int)below(where[1], 2 * op->i[5] + 1) - op->i[5];
    } else if (op->i[4] == CROP_RESIZE) {
        const float H = (float)op->i[2], W = (float)op->i[3];
        const float area = H * W * (f[0] + (f[1] - f[0]) * ad_uniform(where[0]));
        const float ratio = expf(logf(f[2]) + (logf(f[3]) - logf(f[2])) * ad_uniform(where[1]));
        v.ch = AD_MIN(H, sqrtf(area / ratio));
        v.cw = AD_MIN(W, sqrtf(area * ratio));
        v.y0 = ad_uniform(where[2]) * (H - v.ch);
        v.x0 = ad_uniform(where[3]) * (W - v.cw);
    }
    v.brightness = factor(f[4], how[1]);
    v.contrast = factor(f[5], how[2]);
    v.saturation = factor(f[6], how[3]);
    return v;
}

static void sample_resized(const uint8_t *image, int H, int W, float y, float x, float rgb[3]) {
    y = AD_MIN(AD_MAX(y, 0), (float)(H - 1));
    x = AD_MIN(AD_MAX(x, 0), (float)(W - 1));
    const int top = (int)y, left = (int)x, under = AD_MIN(top + 1, H - 1), right = AD_MIN(left + 1, W - 1);
    const float dy = y - (float)top, dx = x - (float)left;
    const uint8_t *a = image + (size_t)top * (size_t)W * 3, *b = image + (size_t)under * (size_t)W * 3;
    for (int ch = 0; ch < 3; ch++) {
        const float above = (1 - dx) * (float)a[left * 3 + ch] + dx * (float)a[right * 3 + ch];
        const float lower = (1 - dx) * (float)b[left * 3 + ch] + dx * (float)b[right * 3 + ch];
        rgb[ch] = ((1 - dy) * above + dy * lower) / 255;
    }
}

static void sample(const ad_op *op, const view *v, const uint8_t *image, int p, int q, float rgb[3]) {
    const ad_geometry *g = &op->g;
    const int H = op->i[2], W = op->i[3];
    if (op->i[4] == CROP_RESIZE) {
        sample_resized(image, H, W, v->y0 + ((float)p + 0.5f) * v->ch / (float)g->h - 0.5f,
                       v->x0 + ((float)q + 0.5f) * v->cw / (float)g->w - 0.5f, rgb);
        return;
    }
    const int a = p + v->a0, b = q + v->b0;
    const bool inside = a >= 0 && a < g->h && b >= 0 && b < g->w;
    const uint8_t *pixel =
        inside ? image + ((size_t)((H - g->h) / 2 + a) * (size_t)W + (size_t)((W - g->w) / 2 + b)) * 3 : NULL;
    for (int ch = 0; ch < 3; ch++) rgb[ch] = pixel ? (float)pixel[ch] / 255 : 0;
}

/* The place that is seen at row *p, column *q of a picture turned by so many quarter turns. */
static void turn(const ad_geometry *g, size_t quarters, int *p, int *q) {
    const int row = *p, column = *q;
    if (quarters == 1) {
        *p = column;
        *q = g->w - 1 - row;
    } else if (quarters == 2) {
        *p = g->h - 1 - row;
        *q = g->w - 1 - column;
    } else if (quarters == 3) {
        *p = g->h - 1 - column;
        *q = row;
    }
}

static void jitter(const ad_op *op, const view *v, float rgb[3]) {
    for (int ch = 0; ch < 3; ch++) {
        if (op->f[4] != 0) rgb[ch] *= v->brightness;
        if (op->f[5] != 0) rgb[ch] = op->f[7] + (rgb[ch] - op->f[7]) * v->contrast;
    }
    const float luma = .299f * rgb[0] + .587f * rgb[1] + .114f * rgb[2];
    for (int ch = 0; ch < 3; ch++) {
        if (op->f[6] != 0) rgb[ch] = luma + (rgb[ch] - luma) * v->saturation;
        rgb[ch] = AD_MIN(AD_MAX(rgb[ch], 0), 1);
    }
}

static void run_gather(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const ad_geometry *g = &op->g;
    const size_t n = (size_t)g->n, items = (size_t)call->tasks * n, pixels = (size_t)g->h * (size_t)g->w;
    const size_t source = (size_t)op->i[2] * (size_t)op->i[3] * 3;
    const int32_t *counter = ad_cpu_at(call, 2, 0), *draw = ad_cpu_at(call, 5, 0);
    const uint32_t value = counter ? (uint32_t)counter[0] : 0;
    const size_t shown = ad_gather_shown(op), first = (size_t)call->first * shown;
    const size_t before = value % (uint32_t)AD_MAX(op->i[7], 1) * (size_t)op->tasks * shown + first;
    const int32_t *index = (const int32_t *)ad_cpu_at(call, 1, 0) + before;
    if (draw) draw += before;
    const bool turns = op->flags & AD_TURN;
    const bool jitters = op->f[4] != 0 || op->f[5] != 0 || op->f[6] != 0;
    const uint8_t *data = ad_cpu_at(call, 0, 0);
    AD_CPU_PARALLEL(call, items * pixels)
    for (size_t item = 0; item < items; item++) {
        const size_t task = item / n, number = item % n, from = task * shown + number % shown;
        const int32_t which = index[from] - op->i[0];
        if (which < 0 || which >= op->i[1]) continue;
        const float *norm = ad_cpu_at(call, 3, (int)task);
        const size_t drawn = first + task * shown + (turns ? number / 4 : number % shown);
        float *x = (float *)ad_cpu_at(call, 4, (int)task) + number * pixels * 4;
        view v = draw ? choose(op, (uint32_t)draw[from], 0) : choose(op, value, (uint32_t)drawn);
        v.flip ^= number >= shown;
        for (int p = 0; p < g->h; p++)
            for (int q = 0; q < g->w; q++, x += 4) {
                float rgb[3];
                int row = p, column = q;
                if (turns) turn(g, number % 4, &row, &column);
                sample(op, &v, data + (size_t)which * source, row, v.flip ? g->w - 1 - column : column, rgb);
                if (jitters) jitter(op, &v, rgb);
                for (int ch = 0; ch < 3; ch++) x[ch] = norm[ch] * rgb[ch] + norm[4 + ch];
                x[3] = 0;
            }
    }
}

static void run_gather_rows(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const size_t n = (size_t)op->g.n, c = (size_t)op->g.c, items = (size_t)call->tasks * n;
    const int32_t *counter = ad_cpu_at(call, 2, 0);
    const size_t round = counter ? (size_t)(counter[0] % AD_MAX(op->i[7], 1)) : 0;
    const int32_t *index =
        (const int32_t *)ad_cpu_at(call, 1, 0) + (round * (size_t)op->tasks + (size_t)call->first) * n;
    AD_CPU_PARALLEL(call, items * c)
    for (size_t item = 0; item < items; item++) {
        const int32_t row = index[item] - op->i[0];
        if (row < 0 || row >= op->i[1]) continue;
        const float *from = (const float *)ad_cpu_at(call, 0, 0) + (size_t)row * c;
        float *x = (float *)ad_cpu_at(call, 3, (int)(item / n)) + item % n * c;
        memcpy(x, from, c * sizeof *x);
    }
}

const ad_cpu_kernel ad_cpu_kernel_GATHER = {.run = run_gather};
const ad_cpu_kernel ad_cpu_kernel_GATHER_ROWS = {.run = run_gather_rows};
