/* The activations that an operation may end with: i[0] says which, f[0] is the parameter of the leaky one. The one list
 * of their numbers; shaders/abi_other.h repeats it for the shaders, and vk/kernels/lower.h compares the two. */
#ifndef AD_PLAN_ACTIVATION_H
#define AD_PLAN_ACTIVATION_H

#include "base/base.h"

typedef enum ad_act {
    AD_ACT_NONE,         /* v */
    AD_ACT_RELU,         /* max(v, 0) */
    AD_ACT_LEAKY,        /* v > 0 ? v : f[0] v */
    AD_ACT_RELU6,        /* min(max(v, 0), 6) */
    AD_ACT_SILU,         /* v sigmoid(v) */
    AD_ACT_HARD_SWISH,   /* v min(max(v+3, 0), 6)/6 */
    AD_ACT_SIGMOID,      /* 1/(1 + exp(-v)) */
    AD_ACT_HARD_SIGMOID, /* min(max(v+3, 0), 6)/6 */
    AD_ACT_GELU,         /* v/2 (1 + erf(v/sqrt 2)) */
    AD_ACT_GELU_TANH,    /* v/2 (1 + tanh(sqrt(2/pi) (v + 0.044715 v^3))) */
    AD_ACT_COUNT
} ad_act;

/* Whether the derivative follows from the output y. That of the others needs v, the number before the activation. */
static inline bool ad_act_by_output(int act) {
    return act != AD_ACT_SILU && act != AD_ACT_HARD_SWISH && act != AD_ACT_GELU && act != AD_ACT_GELU_TANH;
}

static inline const char *ad_act_name(int act) {
    static const char *const names[AD_ACT_COUNT] = {"none",       "relu",    "leaky",        "relu6", "silu",
                                                    "hard-swish", "sigmoid", "hard-sigmoid", "gelu",  "gelu-tanh"};
    return act >= 0 && act < AD_ACT_COUNT ? names[act] : "unknown";
}
#endif
