#version 450
/* CONV_DX, shared-memory tiles: dx[n][h][w][c] = sum over (i,j,o) and the (p,q) that read (h,w): w[ij][c][o]
 * dy[n][p][q][o], an implicit matrix product of pixels x (taps, o) by (taps, o) x c, both operands with o fastest.
 * dy [task][n][oh][ow][O], w [task][K*K][C][O], dx [task][n][h][w][C]. C % 4 == 0; without AD_WIDTH=1 also O % 4 == 0.
 * Task strides are multiples of 4 where vec4 are read.
 * Grid: (class, tile of 64 pixels of the class, tile of 64 c), c fastest, folded over x and y; z = task. See
 * conv_place.glsl. AD_HALF: the tiles hold half precision (lib/conv.glsl).
 * 2 K^2 C O flops an output position. Double reference: CONV_DX. */
#extension GL_GOOGLE_include_directive : require
#define AD_TILED
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

AD_IN_O(0, dy)
AD_IN_O(1, w)
AD_OUT(2, float, dx)

const int ROW = AD_TILE_ROWS + 1;
shared ad_staged tile_dy[4 * ROW]; /* [o/4][pixel] */
shared ad_staged tile_w[4 * ROW];  /* [o/4][c] */

#if AD_WIDTH == 1
#define LOAD_O(operand, binding, row, unit)                             \
    vec4 v = vec4(0);                                                   \
    int at = ad_task_offset(binding, 1) + (row) * O + 4 * (unit);       \
    for (int e = 0; e < min(4, O - 4 * (unit)); e++) v[e] = operand(at + e); \
    return v;
#else
#define LOAD_O(operand, binding, row, unit) return operand(ad_task_offset(binding, 4) + (row) * O4 + (unit));
#endif

vec4 load_dy(ad_place pixel, int tap, int unit) {
    int position = unit < O4 ? ad_reader(pixel, tap / K, tap % K) : -1;
    if (position < 0) return vec4(0);
    LOAD_O(dy, 0, position, unit)
}

vec4 load_w(int tap, int c, int unit) {
    if (c >= C || unit >= O4) return vec4(0);
    LOAD_O(w, 1, tap * C + c, unit)
}

void main() {
    if (ad_group() >= p.count) return;
    const int column_tiles = (C + AD_TILE_ROWS - 1) / AD_TILE_ROWS;
    int row_tile = ad_group() / column_tiles, first_column = ad_group() % column_tiles * AD_TILE_ROWS;
    int class_ = row_tile % (STRIDE * STRIDE), first = row_tile / (STRIDE * STRIDE) * AD_TILE_ROWS;
    int id = int(gl_LocalInvocationID.x);
    int unit = id % 4, row = id / 4;
    ad_place pixel0 = ad_pixel_of_class(first + row, class_), pixel1 = ad_pixel_of_class(first + row + 32, class_);
    int rows = id / 16 * 8, column = id % 16; /* 8 pixels x columns column + 16 j */
    vec4 sum[8];
    [[unroll]] for (int r = 0; r < 8; r++) sum[r] = vec4(0);
    for (int tap = 0; tap < K * K; tap++) {
        if (!ad_tap_reaches(class_, tap / K, tap % K)) continue;
        for (int at = 0; at < O4; at += 4) { /* as often for every invocation, because of the barriers in it */
            vec4 dy0 = load_dy(pixel0, tap, at + unit), dy1 = load_dy(pixel1, tap, at + unit);
            vec4 w0 = load_w(tap, first_column + row, at + unit), w1 = load_w(tap, first_column + row + 32, at + unit);
            barrier();
            tile_dy[unit * ROW + row] = ad_stage(GRADIENT * dy0);
            tile_dy[unit * ROW + row + 32] = ad_stage(GRADIENT * dy1);
            tile_w[unit * ROW + row] = ad_stage(w0);
            tile_w[unit * ROW + row + 32] = ad_stage(w1);
            barrier();
            [[unroll]] for (int u = 0; u < 4; u++) {
                vec4 b0 = ad_value(tile_w[u * ROW + column]), b1 = ad_value(tile_w[u * ROW + column + 16]);
                vec4 b2 = ad_value(tile_w[u * ROW + column + 32]), b3 = ad_value(tile_w[u * ROW + column + 48]);
                [[unroll]] for (int r = 0; r < 8; r++) {
                    vec4 a = ad_value(tile_dy[u * ROW + rows + r]);
                    sum[r] += vec4(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
                }
            }
        }
    }
    [[unroll]] for (int r = 0; r < 8; r++) {
        ad_place pixel = ad_pixel_of_class(first + rows + r, class_);
        if (!pixel.inside) return;
        int at = ad_task_offset(2, 1) + ((pixel.image * p.h + pixel.row) * p.w + pixel.col) * C + first_column + column;
        [[unroll]] for (int j = 0; j < 4; j++)
            if (first_column + column + 16 * j < C)
                dx[at + 16 * j] = (p.accumulate != 0 ? dx[at + 16 * j] : 0.0) + sum[r][j] * UNSCALE;
    }
}
