/* Heads: linear layers, normalised rows, class means, softmax cross-entropy. Small: mostly one item per row
 * or class. */
#include "cpu/cpu_internal.h"

#include <math.h>
#include <omp.h>

enum { BLOCK_ROWS = 8 };

static void start(float *y, size_t count, bool accumulate) {
    if (!accumulate)
        for (size_t i = 0; i < count; i++) y[i] = 0;
}

static void run_linear(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, o = (size_t)g->o, blocks = (n + BLOCK_ROWS - 1) / BLOCK_ROWS;
    AD_CPU_PARALLEL(call, (size_t)call->tasks * n * c * o)
    for (size_t item = 0; item < (size_t)call->tasks * blocks; item++) {
        const int task = (int)(item / blocks);
        const size_t row = item % blocks * BLOCK_ROWS;
        call->tiles->dots(&(ad_cpu_dots){.a = (const float *)ad_cpu_at(call, 0, task) + row * c,
                                         .b = ad_cpu_at(call, 1, task),
                                         .bias = ad_cpu_at(call, 2, task),
                                         .out = (float *)ad_cpu_at(call, 3, task) + row * o,
                                         .scale = call->op->f[0],
                                         .rows = AD_MIN((size_t)BLOCK_ROWS, n - row),
                                         .columns = o,
                                         .count = c,
                                         .accumulate = ad_cpu_accumulates(call)});
    }
}

static void run_linear_dx(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, o = (size_t)g->o, items = (size_t)call->tasks * n;
    AD_CPU_PARALLEL(call, items * c * o)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const float *dy = (const float *)ad_cpu_at(call, 0, task) + item % n * o, *w = ad_cpu_at(call, 1, task);
        float *dx = (float *)ad_cpu_at(call, 2, task) + item % n * c;
        start(dx, c, ad_cpu_accumulates(call));
        for (size_t k = 0; k < o; k++) ad_cpu_add_scaled(dx, w + k * c, call->op->f[0] * dy[k], c);
    }
}

/* One item: some columns of x, all classes; the first also adds up dbias. */
static void run_linear_dw(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, o = (size_t)g->o, width = call->tiles->width,
                 panels = (c + width - 1) / width;
    AD_CPU_PARALLEL(call, (size_t)call->tasks * n * c * o)
    for (size_t item = 0; item < (size_t)call->tasks * panels; item++) {
        const int task = (int)(item / panels);
        const size_t column = item % panels * width, columns = AD_MIN(width, c - column);
        const float *x = (const float *)ad_cpu_at(call, 0, task) + column, *dy = ad_cpu_at(call, 1, task);
        float *dw = (float *)ad_cpu_at(call, 2, task) + column, *dbias = ad_cpu_at(call, 3, task);
        float *scaled = call->scratch + (size_t)omp_get_thread_num() * n * o;
        for (size_t i = 0; i < n * o; i++) scaled[i] = call->op->f[0] * dy[i];
        for (size_t k = 0; k < o; k++) start(dw + k * c, columns, ad_cpu_accumulates(call));
        if (columns == width)
            call->tiles->outer(&(ad_cpu_outer){.a = scaled,
                                               .b = x,
                                               .a_step = o,
                                               .b_step = c,
                                               .lines = 1,
                                               .count = n,
                                               .rows = o,
                                               .columns = columns,
                                               .out = dw,
                                               .ld = c});
        else
            for (size_t i = 0; i < n * o; i++) ad_cpu_add_scaled(dw + i % o * c, x + i / o * c, scaled[i], columns);
        for (size_t k = 0; dbias && column == 0 && k < o; k++) {
            float sum = 0;
            for (size_t row = 0; row < n; row++) sum += dy[row * o + k];
            ad_cpu_put(&dbias[k], sum, ad_cpu_accumulates(call));
        }
    }
}

static size_t linear_dw_scratch(const ad_cpu_call *call) {
    return (size_t)call->threads * (size_t)call->op->g.n * (size_t)call->op->g.o;
}

static void run_row_norm(const ad_cpu_call *call) {
    const size_t n = (size_t)call->op->g.n, c = (size_t)call->op->g.c, items = (size_t)call->tasks * n;
    AD_CPU_PARALLEL(call, items * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const size_t row = item % n;
        const float *x = (const float *)ad_cpu_at(call, 0, task) + row * c;
        float *y = (float *)ad_cpu_at(call, 1, task) + row * c, *inverse = ad_cpu_at(call, 2, task);
        const float scale = 1 / AD_MAX(sqrtf(ad_cpu_dot(x, x, c)), 1e-12f);
        for (size_t e = 0; e < c; e++) y[e] = x[e] * scale;
        inverse[row] = scale;
    }
}

static void run_row_norm_back(const ad_cpu_call *call) {
    const size_t n = (size_t)call->op->g.n, c = (size_t)call->op->g.c, items = (size_t)call->tasks * n;
    AD_CPU_PARALLEL(call, items * c)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const size_t row = item % n;
        const float *y = (const float *)ad_cpu_at(call, 0, task) + row * c, *inverse = ad_cpu_at(call, 1, task);
        const float *dy = (const float *)ad_cpu_at(call, 2, task) + row * c;
        float *dx = (float *)ad_cpu_at(call, 3, task) + row * c;
        const float along = ad_cpu_dot(y, dy, c);
        for (size_t e = 0; e < c; e++) dx[e] = inverse[row] * (dy[e] - y[e] * along);
    }
}

static void run_class_mean(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, o = (size_t)g->o, items = (size_t)call->tasks * o;
    AD_CPU_PARALLEL(call, items * c * n)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / o), label = (int)(item % o);
        const float *x = ad_cpu_at(call, 0, task);
        const int32_t *labels = (const int32_t *)ad_cpu_at(call, 1, 0) + (size_t)(call->first + task) * n;
        float *mean = (float *)ad_cpu_at(call, 2, task) + (size_t)label * c;
        size_t members = 0;
        for (size_t row = 0; row < n; row++) members += labels[row] == label;
        start(mean, c, false);
        for (size_t row = 0; row < n; row++)
            if (labels[row] == label) ad_cpu_add_scaled(mean, x + row * c, 1 / (float)members, c);
    }
}

static void run_class_mean_back(const ad_cpu_call *call) {
    const ad_geometry *g = &call->op->g;
    const size_t n = (size_t)g->n, c = (size_t)g->c, items = (size_t)call->tasks * n;
    AD_CPU_PARALLEL(call, items * (c + n))
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / n);
        const int32_t *labels = (const int32_t *)ad_cpu_at(call, 1, 0) + (size_t)(call->first + task) * n;
        const int32_t label = labels[item % n];
        float *dx = (float *)ad_cpu_at(call, 2, task) + item % n * c;
        start(dx, c, ad_cpu_accumulates(call));
        if (label < 0 || label >= g->o) continue;
        size_t members = 0;
        for (size_t row = 0; row < n; row++) members += labels[row] == label;
        const float *dmean = (const float *)ad_cpu_at(call, 0, task) + (size_t)label * c;
        ad_cpu_add_scaled(dx, dmean, 1 / (float)members, c);
    }
}

/* s of MEAN_HEAD*. */
static float mean_head_scale(const ad_cpu_call *call, int role, int task) {
    const float *scale = ad_cpu_at(call, role, task);
    return scale ? call->op->f[0] * scale[0] : call->op->f[0];
}

static void run_mean_head(const ad_cpu_call *call) {
    const size_t c = (size_t)call->op->g.c, o = (size_t)call->op->g.o;
    for (int task = 0; task < call->tasks; task++) {
        const float *mean = ad_cpu_at(call, 0, task), scale = mean_head_scale(call, 3, task);
        float *w = ad_cpu_at(call, 1, task), *bias = ad_cpu_at(call, 2, task);
        for (size_t k = 0; k < o; k++, mean += c, w += c) {
            if (bias) bias[k] = -scale / 2 * ad_cpu_dot(mean, mean, c);
            for (size_t e = 0; e < c; e++) w[e] = scale * mean[e];
        }
    }
}

static void run_mean_head_back(const ad_cpu_call *call) {
    const size_t c = (size_t)call->op->g.c, o = (size_t)call->op->g.o, tasks = (size_t)call->tasks;
    AD_CPU_PARALLEL(call, tasks * o * c)
    for (size_t task = 0; task < tasks; task++) {
        const float *mean = ad_cpu_at(call, 0, (int)task), *dw = ad_cpu_at(call, 1, (int)task);
        const float *dbias = ad_cpu_at(call, 2, (int)task), scale = mean_head_scale(call, 3, (int)task);
        float *dmean = ad_cpu_at(call, 4, (int)task), *dscale = ad_cpu_at(call, 5, (int)task), sum = 0;
        for (size_t k = 0; k < o; k++, mean += c, dw += c, dmean += c) {
            const float d = dbias ? dbias[k] : 0;
            for (size_t e = 0; e < c; e++) dmean[e] = scale * (dw[e] - d * mean[e]);
            if (dscale) sum += ad_cpu_dot(mean, dw, c) - d / 2 * ad_cpu_dot(mean, mean, c);
        }
        if (dscale) dscale[0] = call->op->f[0] * sum;
    }
}

/* What a row is to be classified as: its label and, of a mixed picture, that of the next. */
typedef struct target {
    int32_t label, next;
    double share, smoothing; /* share: of `label` */
} target;

/* One row: its cross-entropy; dlogits unless NULL. */
static double softmax_row(const float *logits, size_t o, size_t best, const target *of, float scale, float *dlogits) {
    double sum = 0, spread = 0;
    for (size_t k = 0; k < o; k++) {
        const double power = exp((double)logits[k] - (double)logits[best]);
        if (dlogits) dlogits[k] = (float)power;
        sum += power;
        spread += (double)logits[best] - (double)logits[k];
    }
    if (dlogits)
        for (size_t k = 0; k < o; k++) {
            const double p = (double)dlogits[k] / sum;
            const double chosen = of->share * ((int32_t)k == of->label) + (1.0 - of->share) * ((int32_t)k == of->next);
            const double wanted = (1.0 - of->smoothing) * chosen + of->smoothing / (double)o;
            dlogits[k] = (float)((p - wanted) * (double)scale);
        }
    const double behind = of->share * ((double)logits[best] - (double)logits[of->label]) +
                          (1.0 - of->share) * ((double)logits[best] - (double)logits[of->next]);
    return log(sum) + (1.0 - of->smoothing) * behind + of->smoothing * spread / (double)o;
}

static double largest(const float *v, size_t count) {
    float most = v[0];
    for (size_t i = 1; i < count; i++) most = AD_MAX(most, v[i]);
    return (double)most;
}

/* One row and its teacher's, p and q after the softmax at that temperature: KL(q||p); adds scale*(p - q) to dlogits
 * unless NULL. */
static double teacher_row(const float *logits, const float *teacher, size_t o, double temperature, double scale,
                          float *dlogits) {
    const double top = largest(logits, o), teacher_top = largest(teacher, o);
    double sum = 0, teacher_sum = 0, apart = 0;
    for (size_t k = 0; k < o; k++) {
        const double own = ((double)logits[k] - top) / temperature;
        const double other = ((double)teacher[k] - teacher_top) / temperature;
        sum += exp(own);
        teacher_sum += exp(other);
        apart += exp(other) * (other - own);
    }
    for (size_t k = 0; dlogits && k < o; k++) {
        const double p = exp(((double)logits[k] - top) / temperature) / sum;
        const double q = exp(((double)teacher[k] - teacher_top) / temperature) / teacher_sum;
        dlogits[k] += (float)(scale * (p - q));
    }
    return apart / teacher_sum + log(sum) - log(teacher_sum);
}

static void run_softmax_ce(const ad_cpu_call *call) {
    const ad_op *op = call->op;
    const size_t n = (size_t)op->g.n, o = (size_t)op->g.o, tasks = (size_t)call->tasks;
    const int32_t *counter = ad_cpu_at(call, 2, 0);
    const size_t round = counter ? (size_t)(counter[0] % AD_MAX(op->i[7], 1)) : 0;
    AD_CPU_PARALLEL(call, tasks * n * o * 16)
    for (size_t task = 0; task < tasks; task++) {
        const float *logits = ad_cpu_at(call, 0, (int)task);
        const int32_t *labels = ad_cpu_at(call, 1, 0);
        float *loss = ad_cpu_at(call, 3, 0), *dlogits = ad_cpu_at(call, 4, (int)task);
        const float *mix = ad_cpu_at(call, 6, 0), *teacher = ad_cpu_at(call, 7, 0);
        int32_t *predicted = ad_cpu_at(call, 5, 0);
        const size_t number = round * (size_t)op->tasks + (size_t)call->first + task, first = number * n;
        double sum = 0;
        size_t counted = 0;
        for (size_t row = 0; labels && row < n; row++) counted += labels[first + row] >= 0;
        for (size_t row = 0; row < n; row++) {
            const float *l = logits + row * o;
            size_t best = 0;
            bool finite = isfinite(l[0]), tied = o > 1;
            for (size_t k = 1; k < o; k++) {
                finite = finite && isfinite(l[k]);
                tied = tied && l[k] == l[0];
                if (l[k] > l[best]) best = k;
            }
            if (predicted)
                predicted[first + row] = !finite ? AD_PREDICTED_LOST : tied ? AD_PREDICTED_TIED : (int32_t)best;
            float *d = dlogits ? dlogits + row * o : NULL;
            if (!labels) continue;
            if (labels[first + row] < 0) {
                if (d) start(d, o, false);
                continue;
            }
            target of = {labels[first + row], labels[first + row], 1, (double)op->f[0]};
            if (mix) {
                of.next = labels[first + (row + 1) % n];
                of.share = (double)mix[round * AD_MIX_COLUMNS + AD_MIX_SHARE];
            }
            const float scale = 1 / (float)counted;
            if (!teacher) {
                sum += softmax_row(l, o, best, &of, scale, d);
                continue;
            }
            const double part = (double)op->f[1], temperature = (double)op->f[2];
            sum += (1 - part) * softmax_row(l, o, best, &of, scale * (1 - op->f[1]), d);
            sum += part * temperature * temperature *
                   teacher_row(l, teacher + (first + row) * o, o, temperature, part * temperature * (double)scale, d);
        }
        if (loss && labels) loss[number] = (float)(sum / (double)AD_MAX(counted, 1));
    }
}

static const char *const tiles[] = {"tiles", NULL};
const ad_cpu_kernel ad_cpu_kernel_LINEAR = {.run = run_linear, .variants = tiles};
const ad_cpu_kernel ad_cpu_kernel_LINEAR_DX = {.run = run_linear_dx};
const ad_cpu_kernel ad_cpu_kernel_LINEAR_DW = {.run = run_linear_dw, .scratch = linear_dw_scratch, .variants = tiles};
const ad_cpu_kernel ad_cpu_kernel_ROW_NORM = {.run = run_row_norm};
const ad_cpu_kernel ad_cpu_kernel_ROW_NORM_BACK = {.run = run_row_norm_back};
const ad_cpu_kernel ad_cpu_kernel_CLASS_MEAN = {.run = run_class_mean};
const ad_cpu_kernel ad_cpu_kernel_CLASS_MEAN_BACK = {.run = run_class_mean_back};
const ad_cpu_kernel ad_cpu_kernel_MEAN_HEAD = {.run = run_mean_head};
const ad_cpu_kernel ad_cpu_kernel_MEAN_HEAD_BACK = {.run = run_mean_head_back};
const ad_cpu_kernel ad_cpu_kernel_SOFTMAX_CE = {.run = run_softmax_ce};
