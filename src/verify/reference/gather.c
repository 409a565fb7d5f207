/* Pictures and features out of the data set. */
#include "verify/reference/internal.h"

/* Pictures of a task that the index has: with AD_MIRROR each is made twice. */
static int listed(const task_op *r) { return r->op->flags & AD_MIRROR ? r->g.n / 2 : r->g.n; }

/* The row of the chunk that image n of this task asks for; -1 if it is not in this chunk. */
static int chunk_row(const task_op *r, int n) {
    const int row = (round_of(r, 2) * r->op->tasks + r->task) * listed(r) + n % listed(r);
    const int id = (int)r->v[1][row] - r->op->i[0];
    return id >= 0 && id < r->op->i[1] ? id : -1;
}

typedef struct draws {
    uint32_t crop[4], colour[4]; /* r0 and r1 of ops.def */
} draws;

static draws draw(const task_op *r, int n) {
    enum { COUNTER = 2, DRAW = 5 };
    const uint32_t key[2] = {(uint32_t)r->op->i[6], 0};
    const int round = r->v[COUNTER] ? (int)r->v[COUNTER][0] % AD_MAX(r->op->i[7], 1) : 0;
    n %= listed(r);
    const size_t at = ((size_t)round * (size_t)r->op->tasks + (size_t)r->task) * (size_t)listed(r) + (size_t)n;
    if (r->op->flags & AD_TURN) n /= 4;
    uint32_t step = r->v[COUNTER] ? (uint32_t)r->v[COUNTER][0] : 0, image = (uint32_t)(r->task * listed(r) + n);
    if (r->v[DRAW]) {
        step = (uint32_t)(int32_t)r->v[DRAW][at];
        image = 0;
    }
    draws d;
    ad_philox((const uint32_t[4]){0, step, image, AD_STREAM_AUGMENT}, key, d.crop);
    ad_philox((const uint32_t[4]){1, step, image, AD_STREAM_AUGMENT}, key, d.colour);
    return d;
}

static double uniform(uint32_t word) { return (double)(word >> 8) * 0x1p-24; }
static int below(uint32_t word, int bound) { return (int)(((word >> 16) * (uint32_t)bound) >> 16); }

static double pixel(const task_op *r, int picture, int row, int column, int ch) {
    return r->v[0][at4(picture, row, column, ch, r->op->i[2], r->op->i[3], 3)] / 255;
}

static double shifted(const task_op *r, const draws *d, int picture, int p, int q, int ch) {
    const ad_geometry *g = &r->g;
    const int pad = r->op->i[4] == 1 ? r->op->i[5] : 0;
    const int row = p - pad + below(d->crop[0], 2 * pad + 1), column = q - pad + below(d->crop[1], 2 * pad + 1);
    if (row < 0 || row >= g->h || column < 0 || column >= g->w) return 0;
    return pixel(r, picture, (r->op->i[2] - g->h) / 2 + row, (r->op->i[3] - g->w) / 2 + column, ch);
}

static double clamp(double x, double low, double high) { return fmin(fmax(x, low), high); }

static double resized(const task_op *r, const draws *d, int picture, int p, int q, int ch) {
    const int rows = r->op->i[2], columns = r->op->i[3];
    const float *f = r->op->f;
    const double area = (double)rows * columns * (f[0] + ((double)f[1] - f[0]) * uniform(d->crop[0]));
    const double ratio = exp(log(f[2]) + (log(f[3]) - log(f[2])) * uniform(d->crop[1]));
    const double height = fmin(rows, sqrt(area / ratio)), width = fmin(columns, sqrt(area * ratio));
    const double y0 = uniform(d->crop[2]) * (rows - height), x0 = uniform(d->crop[3]) * (columns - width);
    const double y = clamp(y0 + (p + 0.5) * height / r->g.h - 0.5, 0, rows - 1);
    const double x = clamp(x0 + (q + 0.5) * width / r->g.w - 0.5, 0, columns - 1);
    const int top = (int)y, left = (int)x, bottom = AD_MIN(top + 1, rows - 1), right = AD_MIN(left + 1, columns - 1);
    const double down = y - top, across = x - left;
    return (1 - down) * ((1 - across) * pixel(r, picture, top, left, ch) + across * pixel(r, picture, top, right, ch)) +
           down * ((1 - across) * pixel(r, picture, bottom, left, ch) + across * pixel(r, picture, bottom, right, ch));
}

/* How far v may be off before jitter. Copied pixels: byte/255. Resized: crop sides go through log, exp, a division and
 * a square root, altogether a relative error below 40 EPS while |log f| < 2, positions through three more products:
 * below 64 EPS of the picture's side, and v changes by at most 1 from one pixel to the next in each direction. */
static double sample_bound(const ad_op *op) {
    return op->i[4] == 2 ? (64 * (op->i[2] + op->i[3]) + 8) * EPS : DIVISION;
}

/* Each step multiplies the error by its slope and adds a few roundings of its terms. */
static double jitter(const ad_op *op, const draws *d, double v[3], double bound) {
    const double strength[3] = {op->f[4], op->f[5], op->f[6]}, grey = op->f[7];
    double factor[3];
    for (int s = 0; s < 3; s++) factor[s] = 1 + strength[s] * (2 * uniform(d->colour[1 + s]) - 1);
    if (strength[0] == 0 && strength[1] == 0 && strength[2] == 0) return bound;
    if (strength[0] != 0) {
        for (int ch = 0; ch < 3; ch++) v[ch] *= factor[0];
        bound = fabs(factor[0]) * bound + 6 * EPS * (1 + strength[0]);
    }
    double size = 1 + strength[0];
    if (strength[1] != 0) {
        for (int ch = 0; ch < 3; ch++) v[ch] = grey + (v[ch] - grey) * factor[1];
        size = fabs(grey) + (size + fabs(grey)) * (1 + strength[1]);
        bound = fabs(factor[1]) * bound + 6 * EPS * size;
    }
    if (strength[2] != 0) {
        const double light = .299 * v[0] + .587 * v[1] + .114 * v[2];
        for (int ch = 0; ch < 3; ch++) v[ch] = light + (v[ch] - light) * factor[2];
        size *= 3 + 2 * strength[2];
        bound = (fabs(factor[2]) + fabs(1 - factor[2])) * bound + 10 * EPS * size;
    }
    for (int ch = 0; ch < 3; ch++) v[ch] = clamp(v[ch], 0, 1);
    return bound;
}

void ad_reference_GATHER(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *norm = r->v[3];
    for (int n = 0; n < g->n; n++) {
        const int picture = chunk_row(r, n);
        if (picture < 0) continue;
        const draws d = draw(r, n);
        bool flip = (r->op->flags & AD_FLIP) && !(d.colour[0] >> 31);
        if (n >= listed(r)) flip = !flip;
        for (int p = 0; p < g->h; p++)
            for (int q = 0; q < g->w; q++) {
                int row = p, column = q;
                for (int quarter = 0; (r->op->flags & AD_TURN) && quarter < n % 4; quarter++) {
                    const int turned = g->w - 1 - row;
                    row = column;
                    column = turned;
                }
                if (flip) column = g->w - 1 - column;
                double v[3];
                for (int ch = 0; ch < 3; ch++)
                    v[ch] = r->op->i[4] == 2 ? resized(r, &d, picture, row, column, ch)
                                             : shifted(r, &d, picture, row, column, ch);
                const double bound = jitter(r->op, &d, v, sample_bound(r->op));
                for (int ch = 0; ch < 3; ch++) {
                    const double product = norm[ch] * v[ch];
                    put(r, 4, at4(n, p, q, ch, g->h, g->w, 4), product + norm[4 + ch],
                        fabs(norm[ch]) * bound + 4 * EPS * (fabs(product) + fabs(norm[4 + ch])));
                }
                put(r, 4, at4(n, p, q, 3, g->h, g->w, 4), 0, 0);
            }
    }
}

void ad_reference_GATHER_ROWS(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++) {
        const int row = chunk_row(r, n);
        for (int c = 0; row >= 0 && c < g->c; c++) put(r, 3, at2(n, c, g->c), r->v[0][at2(row, c, g->c)], 0);
    }
}
