/* DropBlock. */
#include "verify/reference/internal.h"

/* Whether the block that begins at row y, column x of channel c is chosen in image n. */
static bool chosen(const task_op *r, int n, int y, int x, int c) {
    const ad_geometry *g = &r->g;
    const int b = r->op->i[0], ramp = r->op->i[1], counter = (int)r->v[0][0];
    const double corners = (double)(g->h - b + 1) * (g->w - b + 1), pixels = (double)g->h * g->w;
    const double gamma = ceil(0x1p24 * r->op->f[0] * pixels / (b * b * corners)); /* in units of 2^-24, as u */
    const uint32_t at[4] = {(uint32_t)((y * (g->w - b + 1) + x) * (g->c / 4) + c / 4), (uint32_t)counter,
                            (uint32_t)(r->task * g->n + n), AD_STREAM_DROP};
    uint32_t words[4];
    ad_philox(at, (const uint32_t[2]){(uint32_t)r->op->i[6], 0}, words);
    const uint64_t u = words[c % 4] >> 8;
    if (ramp == 0 || counter >= ramp) return u < (uint64_t)gamma;
    return u * (uint64_t)ramp < (uint64_t)gamma * (uint64_t)counter;
}

void ad_reference_DROP_MASK(const task_op *r) {
    const ad_geometry *g = &r->g;
    const int b = r->op->i[0];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int w = 0; w < g->w; w++)
                for (int c = 0; c < g->c; c++) {
                    bool covered = false;
                    for (int y = AD_MAX(h - b + 1, 0); y <= AD_MIN(h, g->h - b); y++)
                        for (int x = AD_MAX(w - b + 1, 0); x <= AD_MIN(w, g->w - b); x++)
                            covered = covered || chosen(r, n, y, x, c);
                    put(r, 1, at4(n, h, w, c, g->h, g->w, g->c), covered ? 0 : 1, 0);
                }
}

void ad_reference_DROP_APPLY(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (size_t e = 0; e < (size_t)g->n * (size_t)g->h * (size_t)g->w * (size_t)g->c; e++) {
        const double y = r->v[0][e] * r->v[1][e] / fmax(r->v[2][e % (size_t)g->c], 1e-6);
        put(r, 3, e, y, (3 * EPS + DIVISION) * fabs(y) + FLUSHED);
    }
}
