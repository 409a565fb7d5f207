/* d = grad + (DECOUPLED ? 0 : decay*p); first = beta1*first + (1 - beta1)*d; second = beta2*second + (1 - beta2)*d^2;
 * p -= rate*((first/s6)/(sqrt(second/s7) + eps) + (DECOUPLED ? decay*p : 0)), rate, s6, s7 = schedule[counter][column,
 * 6, 7], for count numbers a task. f0, f1, f2, f3 = beta1, beta2, eps, decay.
 * Layout: 4 floats an invocation; task strides are multiples of 4 floats, count is any number (lib/tail.glsl).
 * Grid: lib/grid.glsl, ceil(count/4) items a task. Bytes: 28*count a task.
 * Reference: ADAM. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/tail.glsl"

layout(push_constant) uniform Push { ad_push_optimiser p; };
layout(constant_id = 1) const bool DECOUPLED = false;
layout(set = 0, binding = 0) buffer Value4 { vec4 value4[]; };
layout(set = 0, binding = 0) buffer Value { float value[]; };
layout(set = 0, binding = 1) readonly buffer Grad4 { vec4 grad4[]; };
layout(set = 0, binding = 1) readonly buffer Grad { float grad[]; };
layout(set = 0, binding = 2) buffer First4 { vec4 first4[]; };
layout(set = 0, binding = 2) buffer First { float first[]; };
layout(set = 0, binding = 3) buffer Second4 { vec4 second4[]; };
layout(set = 0, binding = 3) buffer Second { float second[]; };
layout(set = 0, binding = 4) readonly buffer Schedule { float schedule[]; };
layout(set = 0, binding = 5) readonly buffer Counter { int counter[]; };

void main() {
    const int row = 8 * counter[0];
    const float rate = schedule[row + p.column], correction1 = schedule[row + 6], correction2 = schedule[row + 7];
    const uint begin = 4 * item_index(), task = task_index();
    if (begin >= uint(p.count)) return;
    const uint left = uint(p.count) - begin;
    const uint at_value = task * uint(p.p_task) + begin, at_first = task * uint(p.first_task) + begin;
    const uint at_second = task * uint(p.second_task) + begin;
    const vec4 old = LOAD4(value, at_value, left);
    vec4 d = LOAD4(grad, task * uint(p.grad_task) + begin, left);
    if (!DECOUPLED) d += p.f3 * old;
    const vec4 m = p.f0 * LOAD4(first, at_first, left) + (1.0 - p.f0) * d;
    const vec4 v = p.f1 * LOAD4(second, at_second, left) + (1.0 - p.f1) * d * d;
    vec4 direction = (m / correction1) / (sqrt(v / correction2) + p.f2);
    if (DECOUPLED) direction += p.f3 * old;
    STORE4(first, at_first, left, m);
    STORE4(second, at_second, left, v);
    STORE4(value, at_value, left, old - rate * direction);
}
