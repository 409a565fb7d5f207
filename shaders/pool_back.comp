/* Average: dx = sum of dy/count over the windows that hold the pixel, count = pixels of the window inside the image.
 * Maximum: dx = sum of dy over the windows whose first maximum in row-major order is the pixel, which is looked for in
 * each window: for windows that overlap (others: pool_back_cell.comp). With ACCUMULATE added to dx.
 * Layout: channels-last, channels and task strides multiples of 4; windows as in pool.comp.
 * Grid: lib/grid.glsl, images*h*w*channels4 items a task, one a pixel. Bytes: 4 an element of dy and dx; maximum: also
 * of x.
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
    const int item = int(item_index()), image = item / CHANNELS4 / W / H, channel = item % CHANNELS4;
    const ivec2 me = ivec2(item / CHANNELS4 / W % H, item / CHANNELS4 % W), size = ivec2(H, W);
    if (image >= p.images) return;
    const int task = int(task_index());
    const int x = task * p.x_task / 4 + image * H * LINE + channel;
    const int dy = task * p.y_task / 4 + image * OH * OW * CHANNELS4 + channel;
    vec4 mine = vec4(0.0), sum = vec4(0.0);
    if (!AVERAGE) mine = x4[x + me.x * LINE + me.y * CHANNELS4];
    /* Windows (row, column) with row*STRIDE - PAD <= me.x < row*STRIDE - PAD + K. */
    const ivec2 last = min((me + PAD) / STRIDE, ivec2(OH, OW) - 1);
    const ivec2 first = max(me + PAD - K + STRIDE, ivec2(0)) / STRIDE;
    for (int row = first.x; row <= last.x; row++) {
        for (int column = first.y; column <= last.y; column++) {
            const ivec2 begin = max(ivec2(row, column) * STRIDE - PAD, ivec2(0));
            const ivec2 end = min(ivec2(row, column) * STRIDE - PAD + K, size);
            const vec4 share = dy4[dy + (row * OW + column) * CHANNELS4];
            if (AVERAGE) {
                sum += share / float((end.x - begin.x) * (end.y - begin.y));
                continue;
            }
            bvec4 lost = bvec4(false);
            for (int i = begin.x; i < end.x; i++) {
                for (int j = begin.y; j < end.y; j++) {
                    const vec4 other = x4[x + i * LINE + j * CHANNELS4];
                    const bool earlier = i < me.x || (i == me.x && j < me.y);
                    lost =
                        bvec4(uvec4(lost) | uvec4(earlier ? greaterThanEqual(other, mine) : greaterThan(other, mine)));
                }
            }
            sum += mix(share, vec4(0.0), lost);
        }
    }
    const int dx = task * p.dx_task / 4 + item;
    dx4[dx] = ACCUMULATE ? dx4[dx] + sum : sum;
}
