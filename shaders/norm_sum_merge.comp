/* Adds up RUN parts to one, [task][part][4*width], as a rule two numbers per channel.
 * Layout: parts as in abi_other.h. Grid: lib/grid.glsl, ceil(parts/RUN)*width items a task.
 * Bytes: 16*width*parts*(1 + 1/RUN) a task. */
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/run.glsl"

layout(push_constant) uniform Push { ad_push_merge p; };
layout(set = 0, binding = 0) readonly buffer From4 { vec4 from4[]; };
layout(set = 0, binding = 1) writeonly buffer To4 { vec4 to4[]; };

void main() {
    const uint item = item_index(), task = task_index(), width = uint(p.width), parts = uint(p.parts);
    const uint begin = item / width * RUN, from = uint(p.from) + task * parts * width + item % width;
    if (begin >= parts) return;
    vec4 sum = vec4(0.0);
    [[unroll]] for (uint r = 0; r < RUN; r++) {
        const vec4 part = from4[from + min(begin + r, parts - 1) * width];
        sum += begin + r < parts ? part : vec4(0.0);
    }
    to4[uint(p.to) + task * uint(p.to_task) / 4 + item] = sum;
}
