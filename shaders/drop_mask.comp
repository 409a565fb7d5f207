/* mask[n][h][w][c] = 0 in the blocks of side x side that are chosen, 1 elsewhere: DROP_MASK of plan/ops.def. A block is
 * chosen where u < chance*min(1, counter/ramp), both in units of 2^-24; the two sides are multiplied by ramp and
 * compared as integers of 64 bits (ramp = 0: u < chance).
 * Layout: channels-last, channels and task strides multiples of 4; an invocation takes four channels of an image, so
 * that neighbours write next to each other. Grid: lib/grid.glsl, images*channels/4 items a task. Bytes: 4 an element.
 * Reference: DROP_MASK. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/philox.glsl"

layout(push_constant) uniform Push { ad_push_drop_mask p; };
layout(set = 0, binding = 0) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 1) writeonly buffer Mask { float mask[]; };
layout(set = 0, binding = 1) writeonly buffer Mask4 { vec4 mask4[]; };

/* The upper and lower half of a product. */
uvec2 wide_product(uint a, uint b) {
    uvec2 product;
    umulExtended(a, b, product.x, product.y);
    return product;
}

void main() {
    const uint item = item_index(), task = task_index(), channels4 = uint(p.channels4), w = uint(p.w);
    const uint image = item / channels4, channel4 = item % channels4, side = uint(p.side);
    if (image >= uint(p.images)) return;
    const uint from = task * uint(p.mask_task) / 4 + image * uint(p.h) * w * channels4 + channel4;
    for (uint at = 0; at < uint(p.h) * w; at++) mask4[from + at * channels4] = vec4(1.0);

    const uint now = uint(counter[0]), ramp = uint(max(p.ramp, 1));
    const uvec2 chance = wide_product(p.chance, p.ramp > 0 ? min(now, ramp) : 1);
    const uint rows = uint(p.h) - side + 1, columns = w - side + 1;
    for (uint corner = 0; corner < rows * columns; corner++) {
        const uvec4 words = philox(uvec4(corner * channels4 + channel4, now, task * uint(p.images) + image, p.stream),
                                   uvec2(p.seed, 0));
        for (uint e = 0; e < 4; e++) {
            const uvec2 u = wide_product(words[e] >> 8, ramp);
            if (u.x > chance.x || (u.x == chance.x && u.y >= chance.y)) continue;
            const uint first = from + (corner / columns * w + corner % columns) * channels4;
            for (uint row = 0; row < side; row++)
                for (uint column = 0; column < side; column++)
                    mask[4 * (first + (row * w + column) * channels4) + e] = 0.0;
        }
    }
}
