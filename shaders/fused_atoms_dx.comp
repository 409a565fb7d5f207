#version 450
/* FUSED_ATOMS_DX, shared-memory tiles: dx[n][h][w][c] = sum_mo packed[c][m][o] r[m][o] with the flipped atoms'
 * responses r[m][o] = sum over (i,j) and the (p,q) that read (h,w): psi[m][ij] dy[n][p][q][o]: a matrix product of
 * pixels x (o,m) by (o,m) x c, the first operand made in shared memory, both with o fastest.
 * dy [task][n][oh][ow][O], packed [task][C][M][O], psi [task][M][K*K], dx [task][n][h][w][C]. C % 4 == 0; without
 * AD_WIDTH=1 also O % 4 == 0. Task strides are multiples of 4 where vec4 are read.
 * Grid: (class, tile of 64 pixels of the class, tile of 64 c), c fastest, folded over x and y; z = task. See
 * conv_place.glsl.
 * 2 M O C flops a pixel and 2 K^2 M O C/64 an output position. Double reference: FUSED_ATOMS_DX. */
#extension GL_GOOGLE_include_directive : require
#define AD_TILED
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"

AD_IN_O(0, dy)
AD_IN_O(1, packed)
AD_IN1(2, psi)
AD_OUT(3, float, dx)

const int UNITS = O4 * M; /* depth of the product, in vec4 over o: unit u is atom u % M of outputs 4 (u / M) .. + 3 */
const int ROW = AD_TILE_ROWS + 2; /* padding: a pair of units is stored without bank conflicts */

shared vec4 tile_r[4 * ROW]; /* [unit][pixel] */
shared vec4 tile_w[4 * ROW]; /* [unit][c] */

/* Four numbers of o, zeros past the last. */
#if AD_WIDTH == 1
#define LOAD_O(operand, binding, row, column, v)                      \
    v = vec4(0);                                                      \
    for (int e = 0; e < min(4, O - 4 * (column)); e++)                \
        v[e] = operand(ad_task_offset(binding, 1) + (row) * O + 4 * (column) + e);
#else
#define LOAD_O(operand, binding, row, column, v) v = operand(ad_task_offset(binding, 4) + (row) * O4 + (column));
#endif

/* The responses of units `unit` and `unit + 1`, which have the same outputs where M is even. Past the last unit
 * anything will do: it is multiplied by zero. */
void respond(ad_place pixel, int class_, int unit, out vec4 r0, out vec4 r1) {
    int unit0 = min(unit, UNITS - 1), unit1 = min(unit + 1, UNITS - 1);
    int atom0 = ad_task_offset(2, 1) + unit0 % M * K * K, atom1 = ad_task_offset(2, 1) + unit1 % M * K * K;
    r0 = r1 = vec4(0);
    for (int tap = 0; tap < K * K; tap++) {
        if (!ad_tap_reaches(class_, tap / K, tap % K)) continue;
        int position = ad_reader(pixel, tap / K, tap % K);
        if (position < 0) continue;
        vec4 dy0, dy1;
        LOAD_O(dy, 0, position, unit0 / M, dy0)
        dy1 = dy0;
        if (M % 2 != 0) { LOAD_O(dy, 0, position, unit1 / M, dy1) }
        r0 += psi(atom0 + tap) * dy0;
        r1 += psi(atom1 + tap) * dy1;
    }
}

vec4 load_w(int unit, int c) {
    if (unit >= UNITS || c >= C) return vec4(0);
    vec4 v;
    LOAD_O(packed, 1, c * M + unit % M, unit / M, v)
    return v;
}

void main() {
    if (ad_group() >= p.count) return;
    const int column_tiles = (C + AD_TILE_ROWS - 1) / AD_TILE_ROWS;
    int row_tile = ad_group() / column_tiles, first_column = ad_group() % column_tiles * AD_TILE_ROWS;
    int class_ = row_tile % (STRIDE * STRIDE), first = row_tile / (STRIDE * STRIDE) * AD_TILE_ROWS;
    int id = int(gl_LocalInvocationID.x);
    /* Making operands: two invocations a pixel and a row of packed, two units each. */
    int pair = id % 2 * 2, row = id / 2;
    ad_place here = ad_pixel_of_class(first + row, class_);
    int rows = id / 16 * 8, column = id % 16; /* 8 pixels x columns column + 16 j */
    vec4 sum[8];
    [[unroll]] for (int r = 0; r < 8; r++) sum[r] = vec4(0);
    for (int at = 0; at < UNITS; at += 4) {
        vec4 r0, r1;
        respond(here, class_, at + pair, r0, r1);
        vec4 w0 = load_w(at + pair, first_column + row), w1 = load_w(at + pair + 1, first_column + row);
        barrier();
        tile_r[pair * ROW + row] = r0;
        tile_r[(pair + 1) * ROW + row] = r1;
        tile_w[pair * ROW + row] = w0;
        tile_w[(pair + 1) * ROW + row] = w1;
        barrier();
        [[unroll]] for (int u = 0; u < 4; u++) {
            vec4 b0 = tile_w[u * ROW + column], b1 = tile_w[u * ROW + column + 16];
            vec4 b2 = tile_w[u * ROW + column + 32], b3 = tile_w[u * ROW + column + 48];
            [[unroll]] for (int r = 0; r < 8; r++) {
                vec4 a = tile_r[u * ROW + rows + r];
                sum[r] += vec4(dot(a, b0), dot(a, b1), dot(a, b2), dot(a, b3));
            }
        }
    }
    [[unroll]] for (int r = 0; r < 8; r++) {
        ad_place pixel = ad_pixel_of_class(first + rows + r, class_);
        if (!pixel.inside) return;
        int at = ad_task_offset(3, 1) + ((pixel.image * p.h + pixel.row) * p.w + pixel.col) * C + first_column + column;
        [[unroll]] for (int j = 0; j < 4; j++)
            if (first_column + column + 16 * j < C) dx[at + 16 * j] = (ACCUMULATE ? dx[at + 16 * j] : 0.0) + sum[r][j];
    }
}
