/* SGD and ADAM: updates of g.c numbers per task. */
#include "cpu/cpu_internal.h"

#include <math.h>

enum { BLOCK = 4096 };

static const float *schedule_row(const ad_cpu_call *call, int schedule, int counter) {
    const float *rows = ad_cpu_at(call, schedule, 0);
    return rows + (size_t) * (const int32_t *)ad_cpu_at(call, counter, 0) * AD_SCHEDULE_COLUMNS;
}

AD_CLONES static void sgd_block(float *p, const float *grad, float *velocity, size_t count, const float *f, float lr,
                                bool first, bool nesterov) {
    const float momentum = f[0], fresh = 1 - f[1], decay = f[2];
    const float ahead = nesterov ? momentum : 1, direct = nesterov ? 1.0f : 0.0f;
    for (size_t i = 0; i < count; i++) {
        const float d = grad[i] + decay * p[i];
        const float v = first ? d : momentum * velocity[i] + fresh * d;
        velocity[i] = v;
        p[i] -= lr * (direct * d + ahead * v);
    }
}

/* What a step of ADAM has for all numbers: f[] of the operation, the learning rate, and the factors that correct the
 * moments for their start at zero. */
typedef struct adam_step {
    const float *f;
    float lr, scale1, scale2;
    bool decoupled;
} adam_step;

AD_CLONES static void adam_block(float *p, const float *grad, float *first, float *second, size_t count,
                                 const adam_step *step) {
    const float *f = step->f, lr = step->lr, scale1 = step->scale1, scale2 = step->scale2;
    const float beta1 = f[0], beta2 = f[1], eps = f[2];
    const float coupled = step->decoupled ? 0 : f[3], decay = step->decoupled ? f[3] : 0;
    for (size_t i = 0; i < count; i++) {
        const float d = grad[i] + coupled * p[i];
        first[i] = beta1 * first[i] + (1 - beta1) * d;
        second[i] = beta2 * second[i] + (1 - beta2) * d * d;
        p[i] -= lr * (first[i] * scale1 / (sqrtf(second[i] * scale2) + eps) + decay * p[i]);
    }
}

static void run_sgd(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = (count + BLOCK - 1) / BLOCK,
                 items = blocks * (size_t)call->tasks;
    const float lr = schedule_row(call, 3, 4)[call->op->i[1]];
    const bool first = *(const int32_t *)ad_cpu_at(call, 4, 0) == 0;
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t at = item % blocks * BLOCK;
        float *p = ad_cpu_at(call, 0, task), *velocity = ad_cpu_at(call, 2, task);
        const float *grad = ad_cpu_at(call, 1, task);
        sgd_block(p + at, grad + at, velocity + at, AD_MIN((size_t)BLOCK, count - at), call->op->f, lr, first,
                  call->op->i[0] != 0);
    }
}

static void run_adam(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = (count + BLOCK - 1) / BLOCK,
                 items = blocks * (size_t)call->tasks;
    const float *row = schedule_row(call, 4, 5);
    const adam_step step = {.f = call->op->f,
                            .lr = row[call->op->i[1]],
                            .scale1 = 1 / row[AD_SCHEDULE_FIRST],
                            .scale2 = 1 / row[AD_SCHEDULE_SECOND],
                            .decoupled = call->op->i[0] != 0};
    AD_CPU_PARALLEL(call, items * BLOCK)
    for (size_t item = 0; item < items; item++) {
        const int task = (int)(item / blocks);
        const size_t at = item % blocks * BLOCK;
        float *p = ad_cpu_at(call, 0, task), *first = ad_cpu_at(call, 2, task), *second = ad_cpu_at(call, 3, task);
        const float *grad = ad_cpu_at(call, 1, task);
        adam_block(p + at, grad + at, first + at, second + at, AD_MIN((size_t)BLOCK, count - at), &step);
    }
}

const ad_cpu_kernel ad_cpu_kernel_SGD = {.run = run_sgd};
const ad_cpu_kernel ad_cpu_kernel_ADAM = {.run = run_adam};
