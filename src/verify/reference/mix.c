/* Mixtures of pictures. */
#include "verify/reference/internal.h"

void ad_reference_MIX(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *mix = r->v[1] + (size_t)round_of(r, 2) * AD_MIX_COLUMNS, lambda = mix[AD_MIX_LAMBDA];
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int w = 0; w < g->w; w++)
                for (int c = 0; c < g->c; c++) {
                    const size_t at = at4(n, h, w, c, g->h, g->w, g->c);
                    const double other = r->v[0][at4((n + 1) % g->n, h, w, c, g->h, g->w, g->c)];
                    if (h >= mix[AD_MIX_TOP] && h < mix[AD_MIX_BOTTOM] && w >= mix[AD_MIX_LEFT] &&
                        w < mix[AD_MIX_RIGHT]) {
                        put(r, 3, at, other, 0);
                        continue;
                    }
                    const double own = lambda * r->v[0][at], added = (1 - lambda) * other;
                    put(r, 3, at, own + added, 3 * EPS * (fabs(own) + fabs(added)) + 3 * FLUSHED);
                }
}
