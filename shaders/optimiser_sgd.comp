/* d = grad + decay*p; velocity = step 0 ? d : momentum*velocity + (1 - dampening)*d;
 * p -= rate*(NESTEROV ? d + momentum*velocity : velocity), rate = schedule[counter][column], for count numbers a task.
 * f0, f1, f2 = momentum, dampening, decay. velocity is not read in step 0.
 * Layout: 4 floats an invocation; task strides are multiples of 4 floats, count is any number (lib/tail.glsl).
 * Grid: lib/grid.glsl, ceil(count/4) items a task. Bytes: 20*count a task.
 * Reference: SGD. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/tail.glsl"

layout(push_constant) uniform Push { ad_push_optimiser p; };
layout(constant_id = 1) const bool NESTEROV = false;
layout(set = 0, binding = 0) buffer Value4 { vec4 value4[]; };
layout(set = 0, binding = 0) buffer Value { float value[]; };
layout(set = 0, binding = 1) readonly buffer Grad4 { vec4 grad4[]; };
layout(set = 0, binding = 1) readonly buffer Grad { float grad[]; };
layout(set = 0, binding = 2) buffer Velocity4 { vec4 velocity4[]; };
layout(set = 0, binding = 2) buffer Velocity { float velocity[]; };
layout(set = 0, binding = 3) readonly buffer Schedule { float schedule[]; };
layout(set = 0, binding = 4) readonly buffer Counter { int counter[]; };

void main() {
    const int now = counter[0];
    const float rate = schedule[8 * now + p.column];
    const uint begin = 4 * item_index(), task = task_index();
    if (begin >= uint(p.count)) return;
    const uint left = uint(p.count) - begin;
    const uint at_value = task * uint(p.p_task) + begin, at_velocity = task * uint(p.first_task) + begin;
    const vec4 old = LOAD4(value, at_value, left);
    const vec4 d = LOAD4(grad, task * uint(p.grad_task) + begin, left) + p.f2 * old;
    vec4 speed = d;
    if (now > 0) speed = p.f0 * LOAD4(velocity, at_velocity, left) + (1.0 - p.f1) * d;
    STORE4(velocity, at_velocity, left, speed);
    STORE4(value, at_value, left, old - rate * (NESTEROV ? d + p.f0 * speed : speed));
}
