/* WEIGHT_NORM: norms[x] = max(sqrt(sum w*w), 1e-12). With BACK, WEIGHT_SCALE_BACK: dgain[x] = sum dy*w/norms[x] and
 * dw = dy*gain[x]/norms[x]; dw may be dy: IN_PLACE then says so, and its own binding is not used (abi_other.h). Sums
 * are over the numbers of channel x.
 * Layout: kernels [taps][inputs][outputs]. A workgroup takes WIDTH neighbouring channels, so that neighbouring
 * invocations read neighbouring numbers; the others share the numbers of a channel.
 * Grid: lib/grid.glsl's workgroups, ceil(channels/WIDTH) a task. Bytes: 4 a number (BACK: 12).
 * Reference: WEIGHT_NORM, WEIGHT_SCALE_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"

layout(push_constant) uniform Push { ad_push_weights p; };
#include "lib/weights.glsl"
layout(constant_id = 1) const uint WIDTH = 16; /* divides the workgroup */
layout(set = 0, binding = 0) readonly buffer W { float w[]; };
#ifdef BACK
layout(set = 0, binding = 1) readonly buffer Gain { float gain[]; };
layout(set = 0, binding = 2) readonly buffer Norms { float norms[]; };
layout(constant_id = 2) const bool IN_PLACE = false;
layout(set = 0, binding = 3) buffer Dy { float dy[]; };
layout(set = 0, binding = 4) writeonly buffer Dw { float dw[]; };
layout(set = 0, binding = 5) writeonly buffer Dgain { float dgain[]; };
#else
layout(set = 0, binding = 1) writeonly buffer Norms { float norms[]; };
#endif

shared float sums[gl_WorkGroupSize.x];

void main() {
    const uint lane = gl_LocalInvocationID.x, task = task_index(), x = group_index() * WIDTH + lane % WIDTH;
    const uint step = gl_WorkGroupSize.x / WIDTH, size = x < channel_count() ? channel_size() : 0;
#ifdef BACK
    const uint at_x = min(x, channel_count() - 1);
    const float norm = norms[task * uint(p.norms_task) + at_x], factor = gain[task * uint(p.gain_task) + at_x] / norm;
#endif
    float sum = 0.0;
    for (uint i = lane / WIDTH; i < size; i += step) {
        const uint at = channel_at(x, i);
        const float value = w[task * uint(p.w_task) + at];
#ifdef BACK
        const uint at_dy = task * uint(p.dy_task) + at;
        const float d = dy[at_dy];
        sum += d * value;
        if (IN_PLACE) {
            dy[at_dy] = d * factor;
        } else {
            dw[task * uint(p.y_task) + at] = d * factor;
        }
#else
        sum += value * value;
#endif
    }
    sums[lane] = sum;
    barrier();
    if (lane >= WIDTH || x >= channel_count()) return;
    for (uint other = 1; other < step; other++) sum += sums[other * WIDTH + lane];
#ifdef BACK
    dgain[task * uint(p.dgain_task) + x] = sum / norm;
#else
    norms[task * uint(p.y_task) + x] = max(sqrt(sum), 1e-12);
#endif
}
