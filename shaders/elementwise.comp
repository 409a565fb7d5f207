/* y[e] = value (INPUTS 0, FILL), a[e] (INPUTS 1, COPY) or a[e] + b[e] (INPUTS 2, ADD), e < count, per task; with ACCUMULATE
 * added to y. y may be a or b.
 * Layout: 4 floats an invocation; task strides are multiples of 4 floats, count is any number (the last invocation of a task
 * goes float by float). Grid: lib/grid.glsl, ceil(count/4) items a task. Bytes: 4*count*(INPUTS + 1) a task.
 * Reference: FILL, COPY, ADD. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_elementwise p; };
#if INPUTS >= 1
layout(set = 0, binding = 0) readonly buffer A4 { vec4 a4[]; };
layout(set = 0, binding = 0) readonly buffer A { float a[]; };
#endif
#if INPUTS == 2
layout(set = 0, binding = 1) readonly buffer B4 { vec4 b4[]; };
layout(set = 0, binding = 1) readonly buffer B { float b[]; };
#endif
layout(set = 0, binding = INPUTS) buffer Y4 { vec4 y4[]; };
layout(set = 0, binding = INPUTS) buffer Y { float y[]; };

#if INPUTS == 0
#define RESULT(view_a, at_a, view_b, at_b) p.value
#elif INPUTS == 1
#define RESULT(view_a, at_a, view_b, at_b) view_a[at_a]
#else
#define RESULT(view_a, at_a, view_b, at_b) view_a[at_a] + view_b[at_b]
#endif

void main() {
    const uint begin = 4 * item_index(), count = uint(p.count);
    const uint at_a = task_index() * uint(p.a_task) + begin, at_b = task_index() * uint(p.b_task) + begin;
    const uint at_y = task_index() * uint(p.y_task) + begin;
    if (begin + 4 <= count) {
        PUT(y4[at_y / 4], vec4(RESULT(a4, at_a / 4, b4, at_b / 4)));
        return;
    }
    for (uint e = 0; begin + e < count; e++) PUT(y[at_y + e], RESULT(a, at_a + e, b, at_b + e));
}
