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

/* A row of logits at a temperature. z = (logit - largest)/T is off by 6|z| EPS, so that exp(z) has the relative error
 * (6 + 10|z|) EPS; the rest is as below. */
typedef struct softened {
    const double *row;
    double largest, temperature, total, error; /* error: the relative one of total */
} softened;

static double cooled(const softened *s, int o) { return (s->row[o] - s->largest) / s->temperature; }
static double cooled_error(double z) { return (6 + 10 * fabs(z)) * EPS; }

static softened soften(const double *row, int classes, double temperature) {
    softened s = {.row = row, .largest = row[0], .temperature = temperature};
    for (int o = 1; o < classes; o++) s.largest = fmax(s.largest, row[o]);
    sum total = {0};
    for (int o = 0; o < classes; o++) {
        const double z = cooled(&s, o);
        add(&total, exp(z));
        s.error += exp(z) * cooled_error(z) + FLUSHED;
    }
    s.total = total.value;
    s.error = (s.error + sum_bound(total)) / total.value;
    return s;
}

/* softmax at the temperature, and its error. */
static double softened_part(const softened *s, int o, double *error) {
    const double z = cooled(s, o), p = exp(z) / s->total;
    *error = p * (cooled_error(z) + s->error + DIVISION) + FLUSHED;
    return p;
}

/* KL(q||p) = sum_o q (a - b) + log P - log Q, a and b being the teacher's and the own logits at the temperature. */
static double divergence(const softened *own, const softened *teacher, int classes, double *error) {
    sum apart = {0};
    double terms_error = 0;
    for (int o = 0; o < classes; o++) {
        const double a = cooled(teacher, o), b = cooled(own, o);
        add(&apart, exp(a) * (a - b));
        terms_error += (exp(a) * cooled_error(a) + FLUSHED) * fabs(a - b) + exp(a) * 7 * EPS * (fabs(a) + fabs(b));
    }
    const double mean = apart.value / teacher->total, logs[] = {log(own->total), log(teacher->total)};
    *error = (terms_error + sum_bound(apart)) / teacher->total + fabs(mean) * (teacher->error + DIVISION);
    *error += own->error + teacher->error + 0x1p-20 + 6 * EPS * (logs[0] + logs[1]) +
              4 * EPS * (fabs(mean) + logs[0] + logs[1]);
    return mean + logs[0] - logs[1];
}

/* With z the largest logit taken off: e = exp(z) has the relative error (6 + 4|z|) EPS of exp and |z| EPS of the
 * subtraction; S = sum e inherits the mean of these weighted by e, and that of a sum; p = e/S adds both. log S: the
 * relative error of S, and 2^-21 or 3 ULP. Everything else is a sum. */
void ad_reference_SOFTMAX_CE(const task_op *r) {
    const ad_geometry *g = &r->g;
    const double *logits = r->v[0];
    const int round = round_of(r, 2), row_of_round = (round * r->op->tasks + r->task) * g->n;
    const double *labels = r->v[1] ? r->v[1] + row_of_round : NULL, smoothing = r->op->f[0];
    const double share = r->v[6] ? r->v[6][round * AD_MIX_COLUMNS + AD_MIX_SHARE] : 1;
    const double taught = r->v[7] ? r->op->f[1] : 0, temperature = r->op->f[2];
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
        softened own = {0}, teacher = {0};
        if (r->v[7]) {
            own = soften(row, g->o, temperature);
            teacher = soften(r->v[7] + ((size_t)row_of_round + (size_t)n) * (size_t)g->o, g->o, temperature);
        }
        const double next = r->v[6] ? labels[(n + 1) % g->n] : labels[n];
        const double target_error = (r->v[6] ? 7 : 4) * EPS;
        sum entropy = {0};
        add(&entropy, log(s.value));
        for (int o = 0; o < g->o; o++) {
            const double z = row[o] - row[best], p = exp(z) / s.value;
            const double chosen = (labels[n] == o ? share : 0) + (next == o ? 1 - share : 0);
            const double target = (1 - smoothing) * chosen + smoothing / g->o;
            add(&entropy, -target * z);
            double d = p - target, d_size = p + target;
            double d_error = p * ((6 + 5 * fabs(z)) * EPS + s_error + DIVISION) + FLUSHED + target_error * d_size;
            if (r->v[7]) {
                double v_error = 0, q_error = 0;
                const double v = softened_part(&own, o, &v_error), q = softened_part(&teacher, o, &q_error);
                d = (1 - taught) * d + taught * temperature * (v - q);
                d_size = (1 - taught) * d_size + taught * temperature * (v + q);
                d_error = (1 - taught) * d_error + taught * temperature * (v_error + q_error) + 6 * EPS * d_size;
            }
            put(r, 4, at2(n, o, g->o), d / counted, (d_error + DIVISION * fabs(d)) / counted);
        }
        double row_loss = entropy.value;
        double row_error = sum_bound(entropy) + s_error + 0x1p-21 + 6 * EPS * log(s.value);
        if (r->v[7]) {
            double error = 0;
            const double soft = temperature * temperature * divergence(&own, &teacher, g->o, &error);
            const double size = (1 - taught) * fabs(row_loss) + taught * fabs(soft);
            row_error = (1 - taught) * row_error + taught * temperature * temperature * error + 6 * EPS * size;
            row_loss = (1 - taught) * row_loss + taught * soft;
        }
        loss_error += row_error;
        add(&loss, row_loss);
    }
    const double rows = fmax(counted, 1), mean = loss.value / rows;
    if (labels)
        put(r, 3, (size_t)(round * r->op->tasks + r->task), mean,
            (sum_bound(loss) + loss_error) / rows + DIVISION * fabs(mean));
}
