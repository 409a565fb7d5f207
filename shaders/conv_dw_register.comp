#version 450
/* CONV_DW, register tiles: the formula and layouts of conv_dw.comp, for the drivers of conv_register.comp. An
 * invocation computes TILE_A vec4 of (ij,c) x TILE_V vec4 of o over one split of the positions. C % 4 == 0, O % 4 == 0,
 * task strides multiples of 4. First pass; conv_reduce.comp adds the splits (with one split this writes dw).
 * Grid: (split, LANES*TILE_A vec4 of (ij,c), TILE_V vec4 of o), o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position. AD_TEXEL: x and dy are texel buffers. AD_GROUPED: lib/conv_groups.glsl; TILE_V divides
 * the vec4 of a group. Double reference: CONV_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/conv_groups.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, partial)

const int UNITS = K * K * C4;
const int COLUMN_TILES = (O4 + TILE_V - 1) / TILE_V;

void main() {
    if (ad_group() >= p.count) return;
    int lanes = int(gl_WorkGroupSize.x), row_tiles = (UNITS + lanes * TILE_A - 1) / (lanes * TILE_A);
    int column = ad_group() % COLUMN_TILES * TILE_V;
    int first = ad_group() / COLUMN_TILES % row_tiles * lanes * TILE_A + int(gl_LocalInvocationID.x);
    int split = ad_group() / COLUMN_TILES / row_tiles;
    int begin = split * p.span, end = min(begin + p.span, p.n * p.oh * p.ow);
    int tap_row[TILE_A], tap_col[TILE_A], channel[TILE_A];
    vec4 sum[4 * TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        int unit = min(first + a * lanes, UNITS - 1), tap = unit / C4;
        tap_row[a] = tap / K * DIL - PAD;
        tap_col[a] = tap % K * DIL - PAD;
        channel[a] = unit % C4;
#ifdef AD_GROUPED
        channel[a] += column / GROUP_O4 * C4;
#endif
    }
    [[unroll]] for (int s = 0; s < 4 * TILE_A * TILE_V; s++) sum[s] = vec4(0);

    ad_place at = ad_place_of(begin, p.oh, p.ow);
    for (int position = begin; position < end; position++) {
        vec4 values[TILE_A];
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int row = at.row * STRIDE + tap_row[a], col = at.col * STRIDE + tap_col[a];
            bool inside = row >= 0 && row < p.h && col >= 0 && col < p.w;
            int pixel = inside ? (at.image * p.h + row) * p.w + col : 0;
            values[a] = ad_keep(x(ad_task_offset(0, 4) + pixel * PIXEL4 + channel[a]), inside);
        }
        [[unroll]] for (int v = 0; v < TILE_V; v++) {
            vec4 d = dy(ad_task_offset(1, 4) + position * O4 + min(column + v, O4 - 1));
            [[unroll]] for (int a = 0; a < TILE_A; a++)
                [[unroll]] for (int e = 0; e < 4; e++) sum[(a * TILE_V + v) * 4 + e] += values[a][e] * d;
        }
        bool line_end = ++at.col == p.ow;
        at.col = line_end ? 0 : at.col;
        at.row += int(line_end);
        bool image_end = at.row == p.oh;
        at.row = image_end ? 0 : at.row;
        at.image += int(image_end);
    }

    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        if (first + a * lanes >= UNITS) return;
        [[unroll]] for (int v = 0; v < TILE_V; v++) {
            if (column + v >= O4) break;
            [[unroll]] for (int e = 0; e < 4; e++) {
                int to = ad_task_offset(2, 4) + (4 * (split * UNITS + first + a * lanes) + e) * O4 + column + v;
                vec4 result = sum[(a * TILE_V + v) * 4 + e];
                partial[to] = ACCUMULATE ? partial[to] + result : result;
            }
        }
    }
}
