/* Linear and cosine heads, class means, the loss. */
#include "verify/reference/internal.h"

void ad_reference_LINEAR(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *w = r->v[1], *bias = r->v[2];
    for (int n = 0; n < g->n; n++)
        for (int o = 0; o < g->o; o++) {
            sum s = {0};
            for (int c = 0; c < g->c; c++) add(&s, r->op->f[0] * x[at2(n, c, g->c)] * w[at2(o, c, g->c)]);
            if (bias) add(&s, bias[o]);
            put_sum(r, 3, at2(n, o, g->o), s);
        }
}

void ad_reference_LINEAR_DX(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++)
        for (int c = 0; c < g->c; c++) {
            sum s = {0};
            for (int o = 0; o < g->o; o++) add(&s, r->op->f[0] * r->v[0][at2(n, o, g->o)] * r->v[1][at2(o, c, g->c)]);
            put_sum(r, 2, at2(n, c, g->c), s);
        }
}

void ad_reference_LINEAR_DW(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *x = r->v[0], *dy = r->v[1];
    for (int o = 0; o < g->o; o++) {
        sum bias = {0};
        for (int n = 0; n < g->n; n++) add(&bias, dy[at2(n, o, g->o)]);
        put_sum(r, 3, (size_t)o, bias);
        for (int c = 0; c < g->c; c++) {
            sum s = {0};
            for (int n = 0; n < g->n; n++) add(&s, r->op->f[0] * dy[at2(n, o, g->o)] * x[at2(n, c, g->c)]);
            put_sum(r, 2, at2(o, c, g->c), s);
        }
    }
}

/* The relative error of |x|: half of that of the sum of squares, and the square root's. */
void ad_reference_ROW_NORM(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++) {
        const double *x = r->v[0] + at2(n, 0, g->c);
        sum squares = {0};
        for (int c = 0; c < g->c; c++) add(&squares, x[c] * x[c]);
        const double inverse = 1 / fmax(sqrt(squares.value), 1e-12);
        const double relative = (4 + 2 * sqrt(squares.terms)) / 2 * EPS + RSQRT + EPS; /* and 1e-12 as a float */
        put(r, 2, (size_t)n, inverse, relative * inverse);
        for (int c = 0; c < g->c; c++)
            put(r, 1, at2(n, c, g->c), x[c] * inverse, (relative + 2 * EPS) * fabs(x[c] * inverse));
    }
}

void ad_reference_ROW_NORM_BACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    for (int n = 0; n < g->n; n++) {
        const double *y = r->v[0] + at2(n, 0, g->c), *dy = r->v[2] + at2(n, 0, g->c), inverse = r->v[1][n];
        sum dot = {0};
        for (int c = 0; c < g->c; c++) add(&dot, y[c] * dy[c]);
        for (int c = 0; c < g->c; c++) {
            const double magnitude = fabs(dy[c]) + fabs(y[c] * dot.value);
            put(r, 3, at2(n, c, g->c), inverse * (dy[c] - y[c] * dot.value),
                fabs(inverse) * (fabs(y[c]) * sum_bound(dot) + 4 * EPS * magnitude));
        }
    }
}

void ad_reference_CLASS_MEAN(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *labels = r->v[1] + at2(r->task, 0, g->n);
    for (int o = 0; o < g->o; o++)
        for (int c = 0; c < g->c; c++) {
            sum s = {0};
            for (int n = 0; n < g->n; n++)
                if (labels[n] == o) add(&s, r->v[0][at2(n, c, g->c)]);
            const double count = fmax(s.terms, 1);
            put(r, 2, at2(o, c, g->c), s.value / count, (sum_bound(s) + DIVISION * fabs(s.value)) / count);
        }
}

void ad_reference_CLASS_MEAN_BACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *labels = r->v[1] + at2(r->task, 0, g->n);
    for (int n = 0; n < g->n; n++) {
        const int label = (int)labels[n];
        const bool of_class = label >= 0 && label < g->o;
        int count = 0;
        for (int other = 0; other < g->n; other++) count += labels[other] == label;
        for (int c = 0; c < g->c; c++) {
            const double part = of_class ? r->v[0][at2(label, c, g->c)] / count : 0;
            sum s = {0};
            add(&s, part);
            put_sum(r, 2, at2(n, c, g->c), s);
            if (r->bound[2]) r->bound[2][at2(n, c, g->c)] += DIVISION * fabs(part);
        }
    }
}

/* s of MEAN_HEAD*, one product of two floats. */
static double mean_head_scale(const task_op *r, int role) { return r->op->f[0] * (r->v[role] ? r->v[role][0] : 1); }

void ad_reference_MEAN_HEAD(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double factor = mean_head_scale(r, 3);
    for (int o = 0; o < g->o; o++) {
        sum s = {0};
        for (int c = 0; c < g->c; c++) {
            const double mean = r->v[0][at2(o, c, g->c)];
            add(&s, -factor / 2 * mean * mean);
            put(r, 1, at2(o, c, g->c), factor * mean, (r->v[3] ? 2 : 1) * EPS * fabs(factor * mean));
        }
        put(r, 2, (size_t)o, s.value, sum_bound(s));
    }
}

void ad_reference_MEAN_HEAD_BACK(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double factor = mean_head_scale(r, 3);
    sum scale = {0};
    for (int o = 0; o < g->o; o++) {
        const double dbias = r->v[2] ? r->v[2][o] : 0;
        for (int c = 0; c < g->c; c++) {
            const double mean = r->v[0][at2(o, c, g->c)], dw = r->v[1][at2(o, c, g->c)];
            add(&scale, r->op->f[0] * mean * dw);
            add(&scale, -r->op->f[0] * dbias / 2 * mean * mean);
            put(r, 4, at2(o, c, g->c), factor * (dw - dbias * mean),
                5 * EPS * fabs(factor) * (fabs(dw) + fabs(dbias * mean)));
        }
    }
    put(r, 5, 0, scale.value, sum_bound(scale));
}

/* With z the largest logit taken off: e = exp(z) has the relative error (6 + 4|z|) EPS of exp and |z| EPS of the
 * subtraction; S = sum e inherits the mean of these weighted by e, and that of a sum; p = e/S adds both. log S: the
 * relative error of S, and 2^-21 or 3 ULP. Everything else is a sum. */
void ad_reference_SOFTMAX_CE(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *logits = r->v[0];
    const int round = round_of(r, 2), row_of_round = (round * r->op->tasks + r->task) * g->n;
    const double *labels = r->v[1] ? r->v[1] + row_of_round : NULL, smoothing = r->op->f[0];
    int counted = 0;
    for (int n = 0; labels && n < g->n; n++) counted += labels[n] >= 0;
    sum loss = {0};
    double loss_error = 0;
    for (int n = 0; n < g->n; n++) {
        const double *row = logits + at2(n, 0, g->o);
        int best = 0;
        bool finite = isfinite(row[0]), tied = g->o > 1;
        for (int o = 1; o < g->o; o++) {
            finite = finite && isfinite(row[o]);
            tied = tied && row[o] == row[0];
            if (row[o] > row[best]) best = o;
        }
        put(r, 5, (size_t)(row_of_round + n), !finite ? AD_PREDICTED_LOST : tied ? AD_PREDICTED_TIED : best, 0);
        if (!labels) continue;
        if (labels[n] < 0) {
            for (int o = 0; o < g->o; o++) put(r, 4, at2(n, o, g->o), 0, 0);
            continue;
        }

        sum s = {0};
        double s_error = 0;
        for (int o = 0; o < g->o; o++) {
            const double z = row[o] - row[best];
            add(&s, exp(z));
            s_error += exp(z) * (6 + 5 * fabs(z)) * EPS + FLUSHED;
        }
        s_error = (s_error + sum_bound(s)) / s.value;
        sum entropy = {0};
        add(&entropy, log(s.value));
        for (int o = 0; o < g->o; o++) {
            const double z = row[o] - row[best], p = exp(z) / s.value;
            const double target = (labels[n] == o ? 1 - smoothing : 0) + smoothing / g->o;
            add(&entropy, -target * z);
            put(r, 4, at2(n, o, g->o), (p - target) / counted,
                (p * ((6 + 5 * fabs(z)) * EPS + s_error + DIVISION) + FLUSHED + 4 * EPS * (p + target) +
                 DIVISION * fabs(p - target)) /
                    counted);
        }
        loss_error += sum_bound(entropy) + s_error + 0x1p-21 + 6 * EPS * log(s.value);
        add(&loss, entropy.value);
    }
    const double rows = fmax(counted, 1), mean = loss.value / rows;
    if (labels)
        put(r, 3, (size_t)(round * r->op->tasks + r->task), mean,
            (sum_bound(loss) + loss_error) / rows + DIVISION * fabs(mean));
}
