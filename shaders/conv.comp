#version 450
/* CONV, shared-memory tiles: y[n][p][q][o] = bias[o] + sum_ijc w[ij][c][o] x@(p,q,i,j)[c], an implicit matrix product
 * of positions x (taps, c) by (taps, c) x o.
 * x [task][n][h][w][C], w [task][K*K][C][O], bias [task][O] or absent, y [task][n][oh][ow][O]. C % 4 == 0; without
 * AD_WIDTH=1 also O % 4 == 0; then y may be AD_F16. Task strides are multiples of 4 where vec4 are read.
 * Grid: tiles of 64 positions x 64 outputs, o fastest, folded over x and y; z = task.
 * AD_HALF: the tiles hold half precision (lib/conv.glsl). AD_EPILOGUE: lib/epilogue.glsl.
 * 2 K^2 C O flops a position; each input read about K^2 O/64 times (mostly from cache), w once per 64 positions.
 * Double reference: CONV. */
#extension GL_GOOGLE_include_directive : require
#define AD_TILED
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/half.glsl"
#include "lib/epilogue.glsl"

AD_IN4(0, x)
AD_IN_O(1, w)
AD_IN1(2, bias)
#if AD_WIDTH == 1
AD_OUT(3, float, y)
#else
AD_OUT_F16(3, y)
#endif

#ifdef ADATOM_TEST_DROP_TAP
const int UNITS = (K * K - 1) * C4;
#else
const int UNITS = K * K * C4; /* depth of the product, in vec4 */
#endif
const int ROW = AD_TILE_ROWS + 1; /* one vec4 of padding: four depths are stored at once, without bank conflicts */

shared ad_staged tile_x[4 * ROW];             /* [depth/4][position], vec4 over depth */
shared ad_staged tile_w[16 * AD_TILE_VECTORS]; /* [depth][o/4] */

vec4 load_x(ad_place window, int unit) {
    int tap = unit / C4;
    int pixel = unit < UNITS ? ad_pixel(window, tap / K, tap % K) : -1;
    return pixel >= 0 ? x(ad_task_offset(0, 4) + pixel * C4 + unit % C4) : vec4(0);
}

vec4 load_w(int depth, int column) {
    if (depth >= 4 * UNITS || column >= O4) return vec4(0);
#if AD_WIDTH == 1
    vec4 v = vec4(0);
    int at = ad_task_offset(1, 1) + depth * O + 4 * column;
    for (int e = 0; e < min(4, O - 4 * column); e++) v[e] = w(at + e);
    return v;
#else
    return w(ad_task_offset(1, 4) + depth * O4 + column);
#endif
}

void main() {
    if (ad_group() >= p.count) return;
    const int column_tiles = (O4 + AD_TILE_VECTORS - 1) / AD_TILE_VECTORS;
    int first = ad_group() / column_tiles * AD_TILE_ROWS, first_column = ad_group() % column_tiles * AD_TILE_VECTORS;
    int id = int(gl_LocalInvocationID.x);
    /* Loading: four invocations read 16 consecutive channels of one position; 16 read a row of w. */
    int unit = id % 4, row = id / 4, depth = id / 16, column = id % 16;
    ad_place window0 = ad_window_of(first + row), window1 = ad_window_of(first + row + 32);
    vec4 x0 = load_x(window0, unit), x1 = load_x(window1, unit);
    vec4 w0 = load_w(depth, first_column + column), w1 = load_w(depth + 8, first_column + column);
    /* Computing: 8 positions x 4 outputs. */
    int rows = id / 16 * 8;
    vec4 sum[8];
    [[unroll]] for (int r = 0; r < 8; r++) sum[r] = vec4(0);
    for (int at = 0; at < UNITS; at += 4) {
        barrier();
        tile_x[unit * ROW + row] = ad_stage(x0);
        tile_x[unit * ROW + row + 32] = ad_stage(x1);
        tile_w[depth * AD_TILE_VECTORS + column] = ad_stage(w0);
        tile_w[(depth + 8) * AD_TILE_VECTORS + column] = ad_stage(w1);
        barrier();
        if (at + 4 < UNITS) { /* in flight while this tile is multiplied */
            x0 = load_x(window0, at + 4 + unit);
            x1 = load_x(window1, at + 4 + unit);
            w0 = load_w(4 * at + 16 + depth, first_column + column);
            w1 = load_w(4 * at + 24 + depth, first_column + column);
        }
        [[unroll]] for (int u = 0; u < 4; u++) {
            int at_w = 4 * u * AD_TILE_VECTORS + column;
            vec4 b0 = ad_value(tile_w[at_w]), b1 = ad_value(tile_w[at_w + AD_TILE_VECTORS]);
            vec4 b2 = ad_value(tile_w[at_w + 2 * AD_TILE_VECTORS]), b3 = ad_value(tile_w[at_w + 3 * AD_TILE_VECTORS]);
            [[unroll]] for (int r = 0; r < 8; r++) {
                vec4 a = ad_value(tile_x[u * ROW + rows + r]);
                sum[r] += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3;
            }
        }
    }
    column += first_column;
    if (column >= O4) return;
    [[unroll]] for (int r = 0; r < 8; r++) {
        int position = first + rows + r;
        if (position >= p.n * p.oh * p.ow) return;
#if AD_WIDTH == 1
        for (int o = 4 * column; o < min(4 * column + 4, O); o++) {
            int at = ad_task_offset(3, 1) + position * O + o;
            float v = sum[r][o - 4 * column] + (p.optional != 0 ? bias(ad_task_offset(2, 1) + o) : 0.0);
#ifdef AD_EPILOGUE
            v = ad_finish_at(v, o, position * O + o);
#endif
            y[at] = ACCUMULATE ? y[at] + v : v;
        }
#else
        int at = ad_task_offset(3, 4) + position * O4 + column, b = ad_task_offset(2, 1) + 4 * column;
        if (p.optional != 0) sum[r] += AD_FOUR(bias, b);
#ifdef AD_EPILOGUE
        sum[r] = ad_finish_at(sum[r], column, position * O4 + column);
#endif
        y_put(at, sum[r]);
#endif
    }
}
