#version 450
/* CONV_DX, register tiles: the formula and layouts of conv_dx.comp, for the drivers of conv_register.comp. An
 * invocation computes TILE_A pixels of one class x TILE_V vec4 of c. C % 4 == 0, O % 4 == 0, task strides multiples of
 * 4.
 * Grid: (class, tile of LANES*TILE_A pixels of the class, TILE_V vec4 of c), c fastest, folded over x and y; z = task.
 * 2 K^2 C O flops an output position. AD_TEXEL: dy and w are texel buffers. AD_GROUPED: lib/conv_groups.glsl; TILE_V
 * divides C/4. Double reference: CONV_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/conv_groups.glsl"

AD_IN4(0, dy)
AD_IN4(1, w)
AD_OUT(2, vec4, dx)

const int COLUMN_TILES = (PIXEL4 + TILE_V - 1) / TILE_V;

void main() {
    if (ad_group() >= p.count) return;
    int row_tile = ad_group() / COLUMN_TILES, column = ad_group() % COLUMN_TILES * TILE_V;
    int class_ = row_tile % (STRIDE * STRIDE);
    int first = row_tile / (STRIDE * STRIDE) * int(gl_WorkGroupSize.x) * TILE_A + int(gl_LocalInvocationID.x);
    ad_place pixel[TILE_A];
    vec4 sum[TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++)
        pixel[a] = ad_pixel_of_class(first + a * int(gl_WorkGroupSize.x), class_);
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = vec4(0);

    for (int tap = 0; tap < K * K; tap++) {
        if (!ad_tap_reaches(class_, tap / K, tap % K)) continue;
        int from[TILE_A];
        bool inside[TILE_A];
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int position = ad_reader(pixel[a], tap / K, tap % K);
            inside[a] = position >= 0;
            from[a] = ad_task_offset(0, 4) + max(position, 0) * O4;
#ifdef AD_GROUPED
            from[a] += column / C4 * GROUP_O4;
#endif
        }
        int weights = ad_task_offset(1, 4) + tap * C * O4;
#ifdef AD_GROUPED
        weights += column / C4 * GROUP_O4;
#endif
        for (int o = 0; o < GROUP_O4; o++) {
            vec4 values[TILE_A];
            [[unroll]] for (int a = 0; a < TILE_A; a++) values[a] = ad_keep(dy(from[a] + o), inside[a]);
            [[unroll]] for (int v = 0; v < TILE_V; v++) {
                int at = weights + 4 * min(AD_IN_GROUP(column) + v, C4 - 1) * O4 + o;
                vec4 w0 = w(at), w1 = w(at + O4), w2 = w(at + 2 * O4), w3 = w(at + 3 * O4);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    sum[a * TILE_V + v] +=
                        vec4(dot(values[a], w0), dot(values[a], w1), dot(values[a], w2), dot(values[a], w3));
            }
        }
    }

    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        if (!pixel[a].inside) return;
        int at = ad_task_offset(2, 4) + ((pixel[a].image * p.h + pixel[a].row) * p.w + pixel[a].col) * PIXEL4 + column;
        [[unroll]] for (int v = 0; v < TILE_V; v++)
            if (column + v < PIXEL4) dx[at + v] = ACCUMULATE ? dx[at + v] + sum[a * TILE_V + v] : sum[a * TILE_V + v];
    }
}
