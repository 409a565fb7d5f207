/* Pooling: maximum and average over windows clipped to the image. */
#include "verify/reference/internal.h"

/* The window of output (p, q): its pixels inside the image, and where the first maximum of channel c of image n is. */
typedef struct window {
    int count, row, column;
    double maximum;
    sum sum;
} window;

static window window_of(const task_op *r, int n, int p, int q, int c) {
    const ad_geometry *g = &r->g;
    window w = {.maximum = -INFINITY};
    for (int i = 0; i < g->k; i++)
        for (int j = 0; j < g->k; j++) {
            int row = input_of(g, p, i, g->h), column = input_of(g, q, j, g->w);
            if (row < 0 || column < 0) continue;
            const double x = r->v[0][at4(n, row, column, c, g->h, g->w, g->c)];
            w.count++;
            add(&w.sum, x);
            if (!(x > w.maximum) && !(isnan(x) && !isnan(w.maximum))) continue;
            w.maximum = x;
            w.row = row;
            w.column = column;
        }
    return w;
}

void ad_reference_POOL(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++)
        for (int p = 0; p < g->oh; p++)
            for (int q = 0; q < g->ow; q++)
                for (int c = 0; c < g->c; c++) {
                    const window w = window_of(r, n, p, q, c);
                    const size_t at = at4(n, p, q, c, g->oh, g->ow, g->c);
                    if (r->op->i[0])
                        put(r, 1, at, w.sum.value / w.count,
                            (sum_bound(w.sum) + DIVISION * fabs(w.sum.value)) / w.count);
                    else
                        put(r, 1, at, w.maximum, 0);
                }
}

void ad_reference_POOL_BACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++)
        for (int h = 0; h < g->h; h++)
            for (int column = 0; column < g->w; column++)
                for (int c = 0; c < g->c; c++) {
                    sum s = {0};
                    for (int i = 0; i < g->k; i++)
                        for (int j = 0; j < g->k; j++) {
                            int p = output_of(g, h, i, g->oh), q = output_of(g, column, j, g->ow);
                            if (p < 0 || q < 0) continue;
                            const window w = window_of(r, n, p, q, c);
                            const double dy = r->v[1][at4(n, p, q, c, g->oh, g->ow, g->c)];
                            if (r->op->i[0])
                                add(&s, dy / w.count);
                            else if (w.row == h && w.column == column)
                                add(&s, dy);
                        }
                    put_sum(r, 2, at4(n, h, column, c, g->h, g->w, g->c), s);
                }
}
