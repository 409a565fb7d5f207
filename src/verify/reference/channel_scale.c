/* A factor for each image and channel. */
#include "verify/reference/internal.h"

static size_t positions(const task_op *r) { return (size_t)r->g.h * (size_t)r->g.w; }

void ad_reference_CHANNEL_SCALE(const task_op *r) {
    const size_t channels = (size_t)r->g.c, image = positions(r) * channels;
    for (size_t e = 0; e < (size_t)r->g.n * image; e++) {
        const double y = r->v[0][e] * r->v[1][e / image * channels + e % channels];
        put(r, 2, e, y, EPS * fabs(y) + FLUSHED);
    }
}

void ad_reference_CHANNEL_SCALE_BACK(const task_op *r) {
    const size_t channels = (size_t)r->g.c, image = positions(r) * channels;
    const double *x = r->v[0], *s = r->v[1], *dy = r->v[2];
    for (size_t n = 0; n < (size_t)r->g.n; n++)
        for (size_t c = 0; c < channels; c++) {
            sum ds = {0};
            for (size_t e = n * image + c; e < (n + 1) * image; e += channels) {
                sum dx = {0};
                add(&ds, dy[e] * x[e]);
                add(&dx, dy[e] * s[n * channels + c]);
                put_sum(r, 3, e, dx);
            }
            put(r, 4, n * channels + c, ds.value, sum_bound(ds));
        }
}
