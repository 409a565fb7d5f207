#version 450
/* CONV_DW, shared-memory tiles: dw[ij][c][o] = sum_npq x@(p,q,i,j)[c] dy[n][p][q][o], a product of (taps, c) x
 * positions by positions x o whose depth is cut into splits. First pass; conv_reduce.comp adds the splits (with one
 * split this writes dw). x [task][n][h][w][C], dy [task][n][oh][ow][O], partial [task][split][K*K][C][O]. C % 4 == 0;
 * without AD_WIDTH=1 also O % 4 == 0. Task strides are multiples of 4 where vec4 are read.
 * Grid: (split, tile of 64 (ij,c), tile of 64 o), o fastest, folded over x and y; z = task.
 * AD_HALF: the tiles hold half precision (lib/conv.glsl).
 * 2 K^2 C O flops a position; dy read K^2 C/64 times, x O/64 K^2 times. Double reference: CONV_DW. */
#extension GL_GOOGLE_include_directive : require
#define AD_TILED
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

AD_IN4(0, x)
AD_IN_O(1, dy)
AD_OUT(2, ad_o, partial)

const int UNITS = K * K * C4; /* rows of the result, in vec4 */
shared ad_staged tile_x[16 * AD_TILE_VECTORS];  /* [position][(ij,c)/4] */
shared ad_staged tile_dy[16 * AD_TILE_VECTORS]; /* [position][o/4] */

vec4 load_x(int position, int unit) {
    int tap = unit / C4;
    int pixel = unit < UNITS ? ad_pixel(ad_window_of(position), tap / K, tap % K) : -1;
    return pixel >= 0 ? x(ad_task_offset(0, 4) + pixel * C4 + unit % C4) : vec4(0);
}

vec4 load_dy(int position, int column) {
    if (position >= p.n * p.oh * p.ow || column >= O4) return vec4(0);
#if AD_WIDTH == 1
    vec4 v = vec4(0);
    int at = ad_task_offset(1, 1) + position * O + 4 * column;
    for (int e = 0; e < min(4, O - 4 * column); e++) v[e] = dy(at + e);
    return v;
#else
    return dy(ad_task_offset(1, 4) + position * O4 + column);
#endif
}

void main() {
    if (ad_group() >= p.count) return;
    const int column_tiles = (O4 + AD_TILE_VECTORS - 1) / AD_TILE_VECTORS;
    const int row_tiles = (UNITS + AD_TILE_VECTORS - 1) / AD_TILE_VECTORS;
    int first_column = ad_group() % column_tiles * AD_TILE_VECTORS;
    int first_unit = ad_group() / column_tiles % row_tiles * AD_TILE_VECTORS;
    int split = ad_group() / column_tiles / row_tiles;
    int id = int(gl_LocalInvocationID.x);
    int lane = id % 16, depth = id / 16;
    int begin = split * p.span, end = min(begin + p.span, p.n * p.oh * p.ow);
    vec4 sum[8];
    [[unroll]] for (int r = 0; r < 8; r++) sum[r] = vec4(0);
    for (int at = begin; at < end; at += 16) { /* span is a multiple of 16: no tile crosses into the next split */
        vec4 x0 = load_x(at + depth, first_unit + lane), x1 = load_x(at + depth + 8, first_unit + lane);
        vec4 dy0 = load_dy(at + depth, first_column + lane), dy1 = load_dy(at + depth + 8, first_column + lane);
        barrier();
        tile_x[depth * AD_TILE_VECTORS + lane] = ad_stage(x0);
        tile_x[(depth + 8) * AD_TILE_VECTORS + lane] = ad_stage(x1);
        tile_dy[depth * AD_TILE_VECTORS + lane] = ad_stage(GRADIENT * dy0);
        tile_dy[(depth + 8) * AD_TILE_VECTORS + lane] = ad_stage(GRADIENT * dy1);
        barrier();
        [[unroll]] for (int d = 0; d < 16; d++) {
            vec4 a0 = ad_value(tile_x[d * AD_TILE_VECTORS + 2 * depth]),
                 a1 = ad_value(tile_x[d * AD_TILE_VECTORS + 2 * depth + 1]);
            vec4 b = ad_value(tile_dy[d * AD_TILE_VECTORS + lane]);
            [[unroll]] for (int e = 0; e < 4; e++) {
                sum[e] += a0[e] * b;
                sum[4 + e] += a1[e] * b;
            }
        }
    }
    int column = first_column + lane, row = 4 * (first_unit + 2 * depth);
    if (column >= O4) return;
    [[unroll]] for (int r = 0; r < 8; r++) {
        if (row + r >= 4 * UNITS) return;
        sum[r] *= UNSCALE;
        int line = split * 4 * UNITS + row + r;
#if AD_WIDTH == 1
        for (int o = 4 * column; o < min(4 * column + 4, O); o++) {
            int at = ad_task_offset(2, 1) + line * O + o;
            partial[at] = (p.accumulate != 0 ? partial[at] : 0.0) + sum[r][o - 4 * column];
        }
#else
        int at = ad_task_offset(2, 4) + line * O4 + column;
        partial[at] = p.accumulate != 0 ? partial[at] + sum[r] : sum[r];
#endif
    }
}
