/* TASK_SUM. This file is compiled without contraction (CMakeLists.txt): a product is rounded before it is added. */
#include "cpu/cpu_internal.h"

#include <string.h>

enum { BLOCK = 4096 };

AD_CLONES static void add_products(float *y, const float *x, float factor, size_t count) {
    for (size_t i = 0; i < count; i++) y[i] += factor * x[i];
}

static void run_task_sum(const ad_cpu_call *call) {
    const size_t count = (size_t)call->op->g.c, blocks = (count + BLOCK - 1) / BLOCK, tasks = (size_t)call->op->i[0];
    AD_CPU_PARALLEL(call, tasks * count)
    for (size_t block = 0; block < blocks; block++) {
        const size_t at = block * BLOCK, here = AD_MIN((size_t)BLOCK, count - at);
        float *y = (float *)ad_cpu_at(call, 1, 0) + at;
        if (!ad_cpu_accumulates(call)) memset(y, 0, here * sizeof *y);
        for (size_t task = 0; task < tasks; task++)
            add_products(y, (const float *)ad_cpu_at(call, 0, (int)task) + at, call->op->f[0], here);
    }
}

const ad_cpu_kernel ad_cpu_kernel_TASK_SUM = {.run = run_task_sum};
