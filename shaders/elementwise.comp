/* y[e] = value, or `other` of one element (INPUTS 0, FILL), a[a_begin + e] (INPUTS 1, COPY), value*y[e] + (1 -
 * value)*a[e] (INPUTS 1, BLEND) or a[e] + value*b[e] (INPUTS 2, ADD, value 1 or -1), e < count, per task. y of ADD may
 * be a: IN_PLACE then says so, and its own binding is not used (abi_other.h).
 * Layout: 4 floats an invocation; task strides are multiples of 4 floats, count is any number (lib/tail.glsl).
 * Grid: lib/grid.glsl, ceil(count/4) items a task. Bytes: 4*count*(INPUTS + 1) a task, 12*count of BLEND.
 * Reference: FILL, COPY, BLEND, ADD. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/tail.glsl"

layout(push_constant) uniform Push { ad_push_elementwise p; };
#if INPUTS == 1
layout(set = 0, binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(set = 0, binding = 0) readonly buffer A { float a[]; };
#elif INPUTS == 2
layout(constant_id = 1) const bool IN_PLACE = false;
layout(set = 0, binding = 0) buffer A4 { vec4 a4[]; };
layout(set = 0, binding = 0) buffer A { float a[]; };
layout(set = 0, binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(set = 0, binding = 1) readonly buffer B { float b[]; };
#endif
layout(set = 0, binding = INPUTS) buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = INPUTS) buffer Y { float y[]; };

void main() {
    const uint begin = 4 * item_index(), task = task_index();
    if (begin >= uint(p.count)) return;
    const uint left = uint(p.count) - begin, at_y = task * uint(p.y_task) + begin;
#if INPUTS == 0
    vec4 value = vec4(p.value);
    const uint apart = uint(p.apart - 1) - begin; /* wraps where it is none of these four */
    if (apart < 4) value[apart] = p.other;
#else
    vec4 value = LOAD4(a, uint(p.a_begin) + task * uint(p.a_task) + begin, left);
#endif
#ifdef BLEND
    value = p.value * LOAD4(y, at_y, left) + (1.0 - p.value) * value;
#endif
#if INPUTS == 2
    value += p.value * LOAD4(b, task * uint(p.b_task) + begin, left);
#endif
#if INPUTS == 2
    if (IN_PLACE) {
        STORE4(a, task * uint(p.a_task) + begin, left, value);
        return;
    }
#endif
    STORE4(y, at_y, left, value);
}
