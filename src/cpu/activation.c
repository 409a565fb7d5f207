/* Activations of numbers that lie together: one loop for each, compiled once per instruction set. */
#include "cpu/activation.h"

#define LOOPS(act)                                                                                                     \
    AD_CLONES static void forward_##act(float parameter, const float *v, float *y, size_t count) {                     \
        AD_CPU_PRAGMA(omp simd)                                                                                        \
        for (size_t i = 0; i < count; i++) y[i] = ad_cpu_act(AD_ACT_##act, parameter, v[i]);                           \
    }                                                                                                                  \
    AD_CLONES static void back_##act(float parameter, const float *from, const float *dy, float *d, size_t count) {    \
        AD_CPU_PRAGMA(omp simd)                                                                                        \
        for (size_t i = 0; i < count; i++) d[i] = dy[i] * ad_cpu_act_slope(AD_ACT_##act, parameter, from[i]);          \
    }

LOOPS(RELU)
LOOPS(LEAKY)
LOOPS(RELU6)
LOOPS(SILU)
LOOPS(HARD_SWISH)
LOOPS(SIGMOID)
LOOPS(HARD_SIGMOID)
LOOPS(GELU)
LOOPS(GELU_TANH)

static const struct {
    void (*forward)(float parameter, const float *v, float *y, size_t count);
    void (*back)(float parameter, const float *from, const float *dy, float *d, size_t count);
} loops[AD_ACT_COUNT] = {
#define ROW(act) [AD_ACT_##act] = {forward_##act, back_##act}
    ROW(RELU),    ROW(LEAKY),        ROW(RELU6), ROW(SILU),      ROW(HARD_SWISH),
    ROW(SIGMOID), ROW(HARD_SIGMOID), ROW(GELU),  ROW(GELU_TANH),
};

void ad_cpu_activate(int act, float parameter, const float *v, float *y, size_t count) {
    if (act != AD_ACT_NONE)
        loops[act].forward(parameter, v, y, count);
    else if (y != v)
        memcpy(y, v, count * sizeof *y);
}

void ad_cpu_activate_back(int act, float parameter, const float *from, const float *dy, float *d, size_t count) {
    if (act != AD_ACT_NONE)
        loops[act].back(parameter, from, dy, d, count);
    else if (d != dy)
        memcpy(d, dy, count * sizeof *d);
}
