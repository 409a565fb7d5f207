/* Activations (plan/activation.h) and their derivatives, as inline functions of one number that loops in AD_CLONES
 * functions are made of, and as loops over numbers that lie together. They call no function of libm and have no branch,
 * so that compilers make vectors of them. A NaN stays one.
 *
 * Errors measured over all magnitudes, in units of 2^-24, with and without fused multiply-adds (tests/unit says at most
 * so much): ad_cpu_exp_negative 2 relative; ad_cpu_sigmoid 4 relative; ad_cpu_normal 4 absolute. */
#ifndef AD_CPU_ACTIVATION_H
#define AD_CPU_ACTIVATION_H

#include "cpu/cpu_internal.h"
#include "plan/activation.h"

#include <string.h>

/* Whether the operation's activation is of those that tiles bend by themselves: min(max(v, slope v), limit). */
static inline bool ad_cpu_bends(const ad_op *op) {
    return op->i[0] == AD_ACT_RELU || op->i[0] == AD_ACT_RELU6 ||
           (op->i[0] == AD_ACT_LEAKY && op->f[0] >= 0.0f && op->f[0] <= 1.0f);
}

#define AD_CPU_INLINE static inline __attribute__((always_inline))

/* exp(x) for x <= 0; 0 below -87. x = k ln 2 + r with |r| <= ln(2)/2, exp(r) = 1 + r + r^2 p(r) with p of degree 4
 * (minimax, error 3e-9), and k is added to the exponent. Adding 1.5 2^23 rounds to the integer k, whose low bits are
 * then those of the sum; ln 2 is taken in two parts, of which k times the first is exact. */
AD_CPU_INLINE float ad_cpu_exp_negative(float x) {
    const float shift = 12582912.0f, clamped = x < -87.0f ? -87.0f : x;
    const float sum = clamped * 1.44269504f + shift, k = sum - shift;
    const float r = (clamped - k * 0.693359375f) - k * -2.12194440e-4f;
    float p = 0.0013814470869f;
    p = p * r + 0.00836878057125f;
    p = p * r + 0.0416683941739f;
    p = p * r + 0.16666520106f;
    p = p * r + 0.499999934125f;
    const float power = 1 + (r + r * r * p);
    uint32_t bits;
    float scale;
    memcpy(&bits, &sum, sizeof bits);
    bits = (bits + 127u) << 23;
    memcpy(&scale, &bits, sizeof scale);
    return x < -87.0f ? 0 : power * scale;
}

typedef struct ad_cpu_sigmoids {
    float of, rest; /* sigmoid(x) and 1 - sigmoid(x) = sigmoid(-x), without cancellation */
} ad_cpu_sigmoids;

AD_CPU_INLINE ad_cpu_sigmoids ad_cpu_sigmoid(float x) {
    const float e = ad_cpu_exp_negative(x > 0 ? -x : x), large = 1 / (1 + e), small = e * large;
    return (ad_cpu_sigmoids){x > 0 ? large : small, x > 0 ? small : large};
}

AD_CPU_INLINE float ad_cpu_clamp(float x, float low, float high) { return x < low ? low : x > high ? high : x; }

/* The normal distribution's (1 + erf(x/sqrt 2))/2: erf(x/sqrt 2) = x P(x^2)/Q(x^2) for |x| < 5.5 (minimax, error
 * 1.5e-8; all coefficients are positive), beyond it is 1 or -1 to 4e-8. */
AD_CPU_INLINE float ad_cpu_normal(float x) {
    const float t = x * x;
    float p = 4.54991775718e-8f, q = 1.19750704684e-6f;
    p = p * t + 1.27041440746e-5f;
    q = q * t + 7.36461141041e-5f;
    p = p * t + 0.000337643293874f;
    q = q * t + 0.00188442216861f;
    p = p * t + 0.00935447207119f;
    q = q * t + 0.0286456526773f;
    p = p * t + 0.0677045429746f;
    q = q * t + 0.251520979689f;
    p = p * t + 0.797884469327f;
    q = q * t + 1;
    const float erf = x * p / q;
    return 0.5f + 0.5f * (x <= -5.5f ? -1 : x >= 5.5f ? 1 : erf);
}

/* 2 sqrt(2/pi) (v + 0.044715 v^3): GELU's tanh form is v sigmoid(this). Past 11 its exp is 0 or infinite anyway. */
AD_CPU_INLINE float ad_cpu_gelu_argument(float v) {
    const float x = ad_cpu_clamp(v, -11, 11);
    return 1.59576912f * x * (1 + 0.044715f * x * x);
}

/* With a constant act, what remains is that activation alone. */
AD_CPU_INLINE float ad_cpu_act(int act, float parameter, float v) {
    switch ((ad_act)act) {
    case AD_ACT_RELU: return v > 0 ? v : 0 * v;
    case AD_ACT_LEAKY: return v > 0 ? v : parameter * v;
    case AD_ACT_RELU6: return ad_cpu_clamp(v, 0, 6);
    case AD_ACT_SILU: return v * ad_cpu_sigmoid(v).of;
    case AD_ACT_HARD_SWISH: return v * (ad_cpu_clamp(v + 3, 0, 6) * (1.0f / 6));
    case AD_ACT_SIGMOID: return ad_cpu_sigmoid(v).of;
    case AD_ACT_HARD_SIGMOID: return ad_cpu_clamp(v + 3, 0, 6) * (1.0f / 6);
    case AD_ACT_GELU: return v * ad_cpu_normal(v);
    case AD_ACT_GELU_TANH: return v * ad_cpu_sigmoid(ad_cpu_gelu_argument(v)).of;
    case AD_ACT_NONE:
    case AD_ACT_COUNT: break;
    }
    return v;
}

/* The derivative; from: y where ad_act_by_output, else v. */
AD_CPU_INLINE float ad_cpu_act_slope(int act, float parameter, float from) {
    switch ((ad_act)act) {
    case AD_ACT_RELU: return from > 0 ? 1 : 0;
    case AD_ACT_LEAKY: return from > 0 ? 1 : parameter;
    case AD_ACT_RELU6: return from > 0 && from < 6 ? 1 : 0;
    case AD_ACT_SILU: {
        const ad_cpu_sigmoids s = ad_cpu_sigmoid(from);
        return s.of + from * (s.of * s.rest);
    }
    case AD_ACT_HARD_SWISH: return from <= -3 ? 0 : from >= 3 ? 1 : from * (1.0f / 3) + 0.5f;
    case AD_ACT_SIGMOID: return from * (1 - from);
    case AD_ACT_HARD_SIGMOID: return from > 0 && from < 1 ? 1.0f / 6 : 0;
    case AD_ACT_GELU: {
        const float x = ad_cpu_clamp(from, -15, 15);
        return ad_cpu_normal(x) + x * (0.398942280f * ad_cpu_exp_negative(-0.5f * x * x));
    }
    case AD_ACT_GELU_TANH: {
        const float x = ad_cpu_clamp(from, -11, 11);
        const ad_cpu_sigmoids s = ad_cpu_sigmoid(ad_cpu_gelu_argument(x));
        return s.of + s.of * s.rest * (x * (1.59576912f * (1 + 0.134145f * x * x)));
    }
    case AD_ACT_NONE:
    case AD_ACT_COUNT: break;
    }
    return 1;
}

/* y[i] = act(v[i]); y may be v. */
void ad_cpu_activate(int act, float parameter, const float *v, float *y, size_t count);
/* d[i] = dy[i] act', from[i] as in ad_cpu_act_slope; d may be dy or from. */
void ad_cpu_activate_back(int act, float parameter, const float *from, const float *dy, float *d, size_t count);
#endif
