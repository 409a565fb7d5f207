/* y[n][p][q][c] = maximum, or with AVERAGE the mean, of x over the part of the K x K window at (p*STRIDE - PAD,
 * q*STRIDE - PAD) that lies inside the image. A NaN in a window makes a NaN.
 * Layout: channels-last, channels and task strides multiples of 4. Every window has a pixel inside the image.
 * Grid: lib/grid.glsl, images*oh*ow*channels4 items a task. Bytes: 4 an element of x and of y.
 * Reference: POOL. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/nan.glsl"
#include "lib/pool.glsl"

layout(push_constant) uniform Push { ad_push_pool p; };
layout(set = 0, binding = 0) readonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 1) buffer Y4 { vec4 y4[]; };

void main() {
    const int item = int(item_index()), column = item / CHANNELS4 % OW, row = item / CHANNELS4 / OW % OH;
    const int image = item / CHANNELS4 / OW / OH, task = int(task_index());
    if (image >= p.images) return;
    const int top = row * STRIDE - PAD, left = column * STRIDE - PAD;
    const int x = task * p.x_task / 4 + image * H * LINE + item % CHANNELS4;
    float count = 0.0;
    vec4 value = vec4(0.0);
    uvec4 most = uvec4(0);
    for (int i = 0; i < K; i++) {
        for (int j = 0; j < K; j++) {
            const ivec2 at = ivec2(top + i, left + j);
            if (!WHOLE && (any(lessThan(at, ivec2(0))) || any(greaterThanEqual(at, ivec2(H, W))))) continue;
            const vec4 v = x4[x + at.x * LINE + at.y * CHANNELS4];
            value = AVERAGE ? value + v : count == 0.0 ? v : max(value, v);
            count += 1.0;
            if (!AVERAGE) note_nan(most, v);
        }
    }
    y4[task * p.y_task / 4 + item] = AVERAGE ? value / count : nan_where(most, value);
}
