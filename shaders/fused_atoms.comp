#version 450
/* FUSED_ATOMS, shared-memory tiles: y[n][p][q][o] = bias[o] + sum_cm packed[c][m][o] z[c][m] with the atoms' responses
 * z[c][m] = sum_ij psi[m][ij] x@(p,q,i,j)[c]: a matrix product of positions x (c,m) by (c,m) x o whose first operand is
 * made in shared memory.
 * x [task][n][h][w][C], packed [task][C][M][O], psi [task][M][K*K], bias [task][O] or absent, y [task][n][oh][ow][O]. C
 * % 4 == 0; without AD_WIDTH=1 also O % 4 == 0. Task strides are multiples of 4 where vec4 are read.
 * Grid: tiles of 64 positions x 64 outputs, o fastest, folded over x and y; z = task.
 * 2 M C (O + K^2 O/64) flops a position; x read K^2 M/2 O/64 times (M even; mostly from cache), packed once per 64
 * positions.
 * Double reference: FUSED_ATOMS. */
#extension GL_GOOGLE_include_directive : require
#define AD_TILED
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"

AD_IN4(0, x)
AD_IN_O(1, packed)
AD_IN1(2, psi)
AD_IN1(3, bias)
AD_OUT(4, ad_o, y)

const int UNITS = C4 * M; /* depth of the product, in vec4 over c: unit u is atom u % M of channels 4 (u / M) .. + 3 */
const int ROW = AD_TILE_ROWS + 2;   /* padding: a pair of units is stored without bank conflicts */

shared vec4 tile_z[4 * ROW];             /* [unit][position] */
shared vec4 tile_w[16 * AD_TILE_VECTORS]; /* [unit][c][o/4] */

/* The responses of units `unit` and `unit + 1`, which have the same channels where M is even. Past the last unit
 * anything will do: it is multiplied by zero. */
void respond(ad_place window, int unit, out vec4 z0, out vec4 z1) {
    int unit0 = min(unit, UNITS - 1), unit1 = min(unit + 1, UNITS - 1);
    int atom0 = ad_task_offset(2, 1) + unit0 % M * K * K, atom1 = ad_task_offset(2, 1) + unit1 % M * K * K;
    z0 = z1 = vec4(0);
    for (int tap = 0; tap < K * K; tap++) {
        int pixel = ad_pixel(window, tap / K, tap % K);
        if (pixel < 0) continue;
        int at = ad_task_offset(0, 4) + pixel * C4;
        vec4 x0 = x(at + unit0 / M), x1 = M % 2 == 0 ? x0 : x(at + unit1 / M);
        z0 += psi(atom0 + tap) * x0;
        z1 += psi(atom1 + tap) * x1;
    }
}

vec4 load_w(int unit, int c, int column) {
    if (unit >= UNITS || column >= O4) return vec4(0);
    int row = (4 * (unit / M) + c) * M + unit % M;
#if AD_WIDTH == 1
    vec4 v = vec4(0);
    int at = ad_task_offset(1, 1) + row * O + 4 * column;
    for (int e = 0; e < min(4, O - 4 * column); e++) v[e] = packed(at + e);
    return v;
#else
    return packed(ad_task_offset(1, 4) + row * O4 + column);
#endif
}

void main() {
    if (ad_group() >= p.count) return;
    const int column_tiles = (O4 + AD_TILE_VECTORS - 1) / AD_TILE_VECTORS;
    int first = ad_group() / column_tiles * AD_TILE_ROWS, first_column = ad_group() % column_tiles * AD_TILE_VECTORS;
    int id = int(gl_LocalInvocationID.x);
    /* Making operands: two invocations a position, two units each; 16 read a row of packed. */
    int pair = id % 2 * 2, row = id / 2, depth = id / 16, column = id % 16;
    ad_place window = ad_window_of(first + row);
    /* Computing: 8 positions x 4 outputs. */
    int rows = id / 16 * 8;
    vec4 sum[8];
    [[unroll]] for (int r = 0; r < 8; r++) sum[r] = vec4(0);
    for (int at = 0; at < UNITS; at += 4) {
        vec4 z0, z1;
        respond(window, at + pair, z0, z1);
        vec4 w0 = load_w(at + depth / 4, depth % 4, first_column + column);
        vec4 w1 = load_w(at + depth / 4 + 2, depth % 4, first_column + column);
        barrier();
        tile_z[pair * ROW + row] = z0;
        tile_z[(pair + 1) * ROW + row] = z1;
        tile_w[depth * AD_TILE_VECTORS + column] = w0;
        tile_w[(depth + 8) * AD_TILE_VECTORS + column] = w1;
        barrier();
        [[unroll]] for (int u = 0; u < 4; u++) {
            int at_w = 4 * u * AD_TILE_VECTORS + column;
            vec4 b0 = tile_w[at_w], b1 = tile_w[at_w + AD_TILE_VECTORS];
            vec4 b2 = tile_w[at_w + 2 * AD_TILE_VECTORS], b3 = tile_w[at_w + 3 * AD_TILE_VECTORS];
            [[unroll]] for (int r = 0; r < 8; r++) {
                vec4 a = tile_z[u * ROW + rows + r];
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
            int at = ad_task_offset(4, 1) + position * O + o;
            float v = sum[r][o - 4 * column] + (p.optional != 0 ? bias(ad_task_offset(3, 1) + o) : 0.0);
            y[at] = ACCUMULATE ? y[at] + v : v;
        }
#else
        int at = ad_task_offset(4, 4) + position * O4 + column, b = ad_task_offset(3, 1) + 4 * column;
        if (p.optional != 0) sum[r] += AD_FOUR(bias, b);
        y[at] = ACCUMULATE ? y[at] + sum[r] : sum[r];
#endif
    }
}
