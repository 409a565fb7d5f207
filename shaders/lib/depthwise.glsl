/* Operands of DEPTHWISE, and what follows its sums: y = act(scale*(bias + sum) + shift + residual). AD_DX: those of
 * DEPTHWISE_DX at stride 1, which is the same sum with the taps flipped over dy in the place of x; h, w, oh, ow and PAD
 * are then those of the flipped operation. Layouts: x [task][n][h][w][C], w [task][K*K][C], bias [task][C], y
 * [task][n][oh][ow][C], coef [task][2][C], residual like y; C % 4 == 0, task strides multiples of 4. */
AD_IN4(0, x)
AD_IN4(1, w)
#ifdef AD_DX
#include "lib/accumulate.glsl"
AD_OUT(2, vec4, y)
const int TO = 2;
#else
#include "lib/activation.glsl"
layout(constant_id = AD_SPEC_ACT) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = AD_SPEC_END) const int END = 0; /* AD_END_* */
AD_IN4(2, bias)
AD_OUT(3, vec4, y)
AD_IN4(4, coef)
AD_IN4(5, residual)
const int TO = 3;
#endif

/* Tap number t for the channels c. */
vec4 tap_weight(int t, int c) {
#ifdef AD_DX
    return w(ad_task_offset(1, 4) + (K * K - 1 - t) * C4 + c);
#else
    return w(ad_task_offset(1, 4) + t * C4 + c);
#endif
}

/* What the sums start with, and what they are multiplied by and increased by at the end. */
struct ends {
    vec4 start, scale, shift;
};

ends ends_of(int c) {
    ends e = ends(vec4(0), vec4(1), vec4(0));
#ifndef AD_DX
    if ((END & AD_END_BIAS) != 0) e.start = bias(ad_task_offset(2, 4) + c);
    if ((END & AD_END_COEF) != 0) {
        e.scale = coef(ad_task_offset(4, 4) + c);
        e.shift = coef(ad_task_offset(4, 4) + C4 + c);
    }
#endif
    return e;
}

/* Writes vec4 number `at` of a task's y where `write`. */
void put(int at, vec4 sum, ends e, bool write) {
#ifdef AD_DX
    if (write) y[ad_task_offset(TO, 4) + at] = ACCUMULATE ? y[ad_task_offset(TO, 4) + at] + sum : sum;
#else
    vec4 v = sum;
    if ((END & AD_END_COEF) != 0) v = e.scale * v + e.shift;
    if ((END & AD_END_RESIDUAL) != 0) v += residual(ad_task_offset(5, 4) + (write ? at : 0));
    v = act_value(ACT, v, p.scale);
    if (write) y[ad_task_offset(TO, 4) + at] = v;
#endif
}
