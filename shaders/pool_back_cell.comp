/* Maximum pooling backwards where windows neither overlap (K <= STRIDE) nor leave the image: dx = dy where the window's
 * first maximum in row-major order is, else 0; with ACCUMULATE added to dx. An invocation takes a STRIDE x STRIDE cell
 * of the image, whose first K x K pixels are the window; cells at the right and bottom edge may be cut and have no
 * window.
 * Layout: channels-last, channels and task strides multiples of 4.
 * Grid: lib/grid.glsl, images*ceil(h/STRIDE)*ceil(w/STRIDE)*channels4 items a task. Bytes: 4 an element of x, dy and
 * dx.
 * Reference: POOL_BACK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/pool.glsl"

layout(push_constant) uniform Push { ad_push_pool p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) readonly buffer Dy4 { vec4 dy4[]; };
layout(set = 0, binding = 2) buffer Dx4 { vec4 dx4[]; };

void main() {
    const int item = int(item_index()), rows = (H + STRIDE - 1) / STRIDE, columns = (W + STRIDE - 1) / STRIDE;
    const int channel = item % CHANNELS4, column = item / CHANNELS4 % columns, row = item / CHANNELS4 / columns % rows;
    const int image = item / CHANNELS4 / columns / rows, task = int(task_index());
    if (image >= p.images) return;
    const int corner = image * H * LINE + row * STRIDE * LINE + column * STRIDE * CHANNELS4 + channel;
    const int x = task * p.x_task / 4 + corner, dx = task * p.dx_task / 4 + corner;
    ivec4 first = ivec4(-1);
    vec4 dy = vec4(0.0);
    if (row < OH && column < OW) {
        dy = dy4[task * p.y_task / 4 + ((image * OH + row) * OW + column) * CHANNELS4 + channel];
        vec4 best = x4[x];
        first = ivec4(0);
        for (int i = 0; i < K; i++) {
            for (int j = 0; j < K; j++) {
                const vec4 v = x4[x + i * LINE + j * CHANNELS4];
                first = mix(first, ivec4(i * STRIDE + j), greaterThan(v, best));
                best = max(v, best);
            }
        }
    }
    for (int i = 0; i < STRIDE; i++) {
        for (int j = 0; j < STRIDE; j++) {
            if (row * STRIDE + i >= H || column * STRIDE + j >= W) continue;
            const int to = dx + i * LINE + j * CHANNELS4;
            const vec4 share = mix(vec4(0.0), dy, equal(first, ivec4(i * STRIDE + j)));
            dx4[to] = ACCUMULATE ? dx4[to] + share : share;
        }
    }
}
