/* y[n][h][w][c] = x[next][h][w][c] in the box of the round, lambda*x[n][h][w][c] + (1 - lambda)*x[next][h][w][c]
 * elsewhere, next = (n + 1) % images; lambda and the box: row counter % rounds of mix [rounds][8], ad_mix_column.
 * Layout: channels-last, channels and task strides multiples of 4, 4 floats an invocation.
 * Grid: lib/grid.glsl, images*h*w*channels/4 items a task. Bytes: 12 an element. Reference: MIX. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_mix p; };
layout(constant_id = 0) const bool COUNTER = false;
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Mix { float mixing[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { vec4 y4[]; };

void main() {
    const uint item = item_index(), task = task_index(), images = uint(p.images);
    const uint picture4 = uint(p.h) * uint(p.w) * uint(p.channels4), image = item / picture4, within = item % picture4;
    if (image >= images) return;
    const uint from = task * uint(p.x_task) / 4, pixel = within / uint(p.channels4);
    const vec2 place = vec2(pixel / uint(p.w), pixel % uint(p.w));
    const uint at = COUNTER ? 8 * (uint(counter[0]) % uint(p.rounds)) : 0; /* AD_MIX_COLUMNS */
    const vec2 begin = vec2(mixing[at + 1], mixing[at + 3]), end = vec2(mixing[at + 2], mixing[at + 4]);
    vec4 v = x4[from + (image + 1) % images * picture4 + within];
    if (any(lessThan(place, begin)) || any(greaterThanEqual(place, end)))
        v = mixing[at] * x4[from + item] + (1.0 - mixing[at]) * v;
    y4[task * uint(p.y_task) / 4 + item] = v;
}
