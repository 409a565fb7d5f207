/* Batch norm's end fused with maximum pooling over windows that do not overlap. */
#include "verify/reference/activation.h"

/* The activated value of a pixel, and between what numbers a float32 computation of it lies. */
typedef struct pixel {
    double value, low, high;
} pixel;

static pixel activated(const task_op *r, size_t at, int c) {
    const double *x = r->v[0], *coef = r->v[1], *residual = r->v[2];
    sum s = {0};
    add(&s, coef ? coef[c] * x[at] : x[at]);
    if (coef) add(&s, coef[r->g.c + c]);
    if (residual) add(&s, residual[at]);
    const double a = activate(r->op, s.value - sum_bound(s)), b = activate(r->op, s.value + sum_bound(s));
    return (pixel){activate(r->op, s.value), fmin(a, b), fmax(a, b)};
}

/* The pixel of tap i of window (p, q). */
static size_t pixel_of(const ad_geometry *g, int n, int p, int q, int tap, int c) {
    return at4(n, p * g->k + tap / g->k, q * g->k + tap % g->k, c, g->h, g->w, g->c);
}

static int winner_at(const double *winner, size_t at) {
    return (int)((uint32_t)(int32_t)winner[at / 4] >> 8 * (at % 4) & 255);
}

/* Where float32 may find another pixel larger, or as large and earlier, any winner is right: its bound is infinite. */
void ad_reference_AFFINE_POOL(const task_op *r) {
    const ad_geometry *g = &r->g;
    uint32_t packed = 0;
    double doubt = 0;
    for (size_t at = 0; at < (size_t)g->n * (size_t)g->oh * (size_t)g->ow * (size_t)g->c; at++) {
        const int c = (int)(at % (size_t)g->c), q = (int)(at / (size_t)g->c % (size_t)g->ow);
        const size_t line = at / (size_t)g->c / (size_t)g->ow;
        const int p = (int)(line % (size_t)g->oh), n = (int)(line / (size_t)g->oh);
        pixel best = activated(r, pixel_of(g, n, p, q, 0, c), c);
        int first = 0;
        for (int tap = 1; tap < g->k * g->k; tap++) {
            const pixel v = activated(r, pixel_of(g, n, p, q, tap, c), c);
            if (!(v.value > best.value) && !(isnan(v.value) && !isnan(best.value))) continue;
            best = v;
            first = tap;
        }
        double low = best.low, high = best.high;
        if (at % 4 == 0) {
            packed = 0;
            doubt = 0;
        }
        packed |= (uint32_t)first << 8 * (at % 4);
        for (int tap = 0; tap < g->k * g->k; tap++) {
            const pixel v = activated(r, pixel_of(g, n, p, q, tap, c), c);
            low = fmax(low, v.low);
            high = fmax(high, v.high);
            if (tap < first ? v.high >= best.low : tap > first && v.high > best.low) doubt = INFINITY;
        }
        if (isnan(best.value)) doubt = INFINITY;
        put(r, 3, at, best.value, fmax(high - best.value, best.value - low));
        if (at % 4 == 3) put(r, 4, at / 4, (int32_t)packed, doubt);
    }
}

void ad_reference_AFFINE_POOL_BACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *y = r->v[0], *winner = r->v[1], *dy = r->v[2], *back = r->v[3], *x = r->v[4];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int w = 0; w < g->w; w++)
                for (int c = 0; c < g->c; c++) {
                    const int p = h / g->k, q = w / g->k, tap = h % g->k * g->k + w % g->k;
                    const size_t at = at4(n, h, w, c, g->h, g->w, g->c), window = at4(n, p, q, c, g->oh, g->ow, g->c);
                    double d = 0;
                    if (p < g->oh && q < g->ow && winner_at(winner, window) == tap)
                        d = dy[window] * activate_slope(r->op, y[window]);
                    sum dx = {0}, dresidual = {0};
                    add(&dx, back ? back[c] * d : d);
                    if (x) {
                        add(&dx, (back ? back[g->c + c] : 0) * x[at]);
                        add(&dx, back ? back[2 * g->c + c] : 0);
                    }
                    add(&dresidual, d);
                    put(r, 5, at, dx.value, sum_bound(dx));
                    put_sum(r, 6, at, dresidual);
                }
}

void ad_reference_AFFINE_POOL_SUMS(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *y = r->v[1], *winner = r->v[2], *dy = r->v[3], *stats = r->v[4];
    for (int c = 0; c < g->c; c++) {
        sum first = {0}, second = {0};
        for (int n = 0; n < g->n; n++)
            for (int p = 0; p < g->oh; p++)
                for (int q = 0; q < g->ow; q++) {
                    const size_t window = at4(n, p, q, c, g->oh, g->ow, g->c);
                    const double d = dy[window] * activate_slope(r->op, y[window]);
                    add(&first, d);
                    add(&second, d * (x[pixel_of(g, n, p, q, winner_at(winner, window), c)] - stats[c]));
                }
        put(r, 5, c, first.value, sum_bound(first));
        put(r, 5, (size_t)(g->c + c), second.value, sum_bound(second));
    }
}
