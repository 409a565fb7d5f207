/* The first pass of stats[2][c] = mean and biased variance over the positions: for the elements of one invocation their sum and
 * their squared deviations from their own mean, parts[task][item / channels4][2][c]; merged by bn_stats_merge.comp.
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes all vec4 elements item, item + slice ...
 * (abi_other.h), twice, the second time from cache. Grid: lib/grid.glsl, slice items a task. Bytes: 4 an element.
 * Reference: BN_STATS. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_bn_stats p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 2) writeonly buffer Parts4 { vec4 parts4[]; };

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), channel = item % channels4;
    const uint slice = uint(p.slice), elements4 = uint(p.elements4), x = task * uint(p.x_task) / 4;
    if (item >= slice) return;
    vec4 sum = vec4(0.0), squares = vec4(0.0);
    for (uint e = item; e < elements4; e += slice) sum += x4[x + e];
    const vec4 mean = sum / float((elements4 - item + slice - 1) / slice);
    for (uint e = item; e < elements4; e += slice) {
        const vec4 deviation = x4[x + e] - mean;
        squares += deviation * deviation;
    }
    const uint part = 2 * (task * slice + item - channel) + channel;
    parts4[part] = sum;
    parts4[part + channels4] = squares;
}
