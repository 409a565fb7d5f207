/* Activations (plan/activation.h) and their derivatives in double precision, and how far float32 may be from them. */
#ifndef AD_REFERENCE_ACTIVATION_H
#define AD_REFERENCE_ACTIVATION_H

#include "plan/activation.h"
#include "verify/reference/internal.h"

#define SQRT_HALF 0.70710678118654752440
#define TWO_SQRT_TWO_OVER_PI 1.59576912160573071176
#define INVERSE_SQRT_TWO_PI 0.39894228040143267794

static inline double sigmoid(double x) { return 1 / (1 + exp(-x)); }
/* GELU's tanh form is v sigmoid(gelu_argument(v)). */
static inline double gelu_argument(double v) { return TWO_SQRT_TWO_OVER_PI * (v + 0.044715 * v * v * v); }

/* act(v) with act = op->i[0] and its parameter op->f[0]. */
static inline double activate(const ad_op *op, double v) {
    switch ((ad_act)op->i[0]) {
    case AD_ACT_RELU: return v <= 0 ? 0 : v;
    case AD_ACT_LEAKY: return v <= 0 ? op->f[0] * v : v;
    case AD_ACT_RELU6: return v <= 0 ? 0 : v >= 6 ? 6 : v;
    case AD_ACT_SILU: return v * sigmoid(v);
    case AD_ACT_HARD_SWISH: return v <= -3 ? 0 : v >= 3 ? v : v * (v + 3) / 6;
    case AD_ACT_SIGMOID: return sigmoid(v);
    case AD_ACT_HARD_SIGMOID: return v <= -3 ? 0 : v >= 3 ? 1 : (v + 3) / 6;
    case AD_ACT_GELU: return v * erfc(-v * SQRT_HALF) / 2;
    case AD_ACT_GELU_TANH: return v * sigmoid(gelu_argument(v));
    case AD_ACT_NONE:
    case AD_ACT_COUNT: break;
    }
    return v;
}

/* The derivative; from: y where ad_act_by_output, else v. */
static inline double activate_slope(const ad_op *op, double from) {
    switch ((ad_act)op->i[0]) {
    case AD_ACT_RELU: return from > 0 ? 1 : 0;
    case AD_ACT_LEAKY: return from > 0 ? 1 : op->f[0];
    case AD_ACT_RELU6: return from > 0 && from < 6 ? 1 : 0;
    case AD_ACT_SILU: return sigmoid(from) + from * sigmoid(from) * sigmoid(-from);
    case AD_ACT_HARD_SWISH: return from <= -3 ? 0 : from >= 3 ? 1 : from / 3 + 0.5;
    case AD_ACT_SIGMOID: return from * (1 - from);
    case AD_ACT_HARD_SIGMOID: return from > 0 && from < 1 ? 1.0 / 6 : 0;
    case AD_ACT_GELU: return erfc(-from * SQRT_HALF) / 2 + from * INVERSE_SQRT_TWO_PI * exp(-from * from / 2);
    case AD_ACT_GELU_TANH: {
        const double w = gelu_argument(from), inner = TWO_SQRT_TWO_OVER_PI * (1 + 3 * 0.044715 * from * from);
        return sigmoid(w) + from * inner * sigmoid(w) * sigmoid(-w);
    }
    case AD_ACT_NONE:
    case AD_ACT_COUNT: break;
    }
    return 1;
}

/* How far float32 may be from act(v) if its v is off by `error`: the largest slope times error, and what the
 * computation adds, in EPS (s = sigmoid, e = exp, by the specification (6 + 4|x|) EPS relative):
 * sigmoid: e's error moves s by s(1-s)(6 + 4|x|) <= .25*6 + .224*4 = 2.4; 1 + e, the division and a product 7 s.
 * silu = v s: |v| s(1-s)(6 + 4|v|) <= .224*6 + .44*4 = 3.1; 8 |y| for the roundings of s and of the product.
 * gelu-tanh = v s(w): w is a sum of terms of one sign, off by 7|w|; with e's error |v| s(1-s)(6 + 11|w|)
 *     <= .136*6 + .255*11 = 3.7; 8 |y|.
 * gelu = v N(v), N = (1 + E)/2, E = v P/Q: sums of positive terms, each product and addition rounded; with the division
 *     that is NORMAL = 16 for N, |v| < 5.5, and nothing beyond, where N is 0 or 1.
 * hard-swish, hard-sigmoid: v+3 <= 6 rounded, so 6/6 for the latter, times |v| <= 3 for the former; the rest is
 *     relative, a division by 6 at worst.
 * Results below the smallest normal number count as zero. */
#define NORMAL 16
static inline double activation_bound(const ad_op *op, double v, double error) {
    const double y = fabs(activate(op, v)), tiny = fmax(1, fabs(v)) * FLUSHED;
    switch ((ad_act)op->i[0]) {
    case AD_ACT_LEAKY: return fmax(1, fabs(op->f[0])) * error;
    case AD_ACT_SILU: return 1.1 * error + (3.1 + 8 * y) * EPS + tiny;
    case AD_ACT_HARD_SWISH: return 1.5 * error + (3 + 8 * y) * EPS;
    case AD_ACT_SIGMOID: return 0.25 * error + (2.4 + 7 * y) * EPS + tiny;
    case AD_ACT_HARD_SIGMOID: return error / 6 + (1 + 7 * y) * EPS;
    case AD_ACT_GELU: return 1.13 * error + (fmin(fabs(v), 5.5) * NORMAL + 2 * y) * EPS + tiny;
    case AD_ACT_GELU_TANH: return 1.13 * error + (3.7 + 8 * y) * EPS + tiny;
    case AD_ACT_NONE:
    case AD_ACT_RELU:
    case AD_ACT_RELU6:
    case AD_ACT_COUNT: break;
    }
    return error;
}

/* The same of the derivative at v. Where it has a step (hard-swish) and v cannot be told from that place, either side
 * is right. In EPS, with the largest second derivative before `error`:
 * silu' = s + v s(1-s): s 2.4 + 7; the product is off by |v| s(1-s)(6 + 4|v| + 15) <= .224*21 + .44*4 = 6.5; a sum 1.1.
 * gelu' = N + v n, n the density: NORMAL; the exponent -v^2/2, its exp and three products |v| n (v^2 + 6 + 2 v^2 + 4)
 *     <= .242*10 + .463*3 = 3.8; a sum 1.2.
 * gelu-tanh' = s(w) + v w' s(1-s): s .224*11 + .25*6 + 7 = 11; |v w'| s(1-s)(6 + 11|w| + 22) <= .242*28 + .514*11
 *     = 12.4; a sum 1.2.
 * Where the derivative follows from y, it is a product of two factors, which sum_bound covers. */
static inline double activation_slope_bound(const ad_op *op, double v, double error) {
    const double step = op->i[0] == AD_ACT_HARD_SWISH && fabs(fabs(v) - 3) <= error ? 0.5 : 0;
    switch ((ad_act)op->i[0]) {
    case AD_ACT_SILU: return 0.5 * error + 17 * EPS + FLUSHED;
    case AD_ACT_HARD_SWISH: return error / 3 + 4 * EPS + step;
    case AD_ACT_GELU: return 0.8 * error + (NORMAL + 5) * EPS + FLUSHED;
    case AD_ACT_GELU_TANH: return 0.8 * error + 25 * EPS + FLUSHED;
    default: return 0;
    }
}
#endif
