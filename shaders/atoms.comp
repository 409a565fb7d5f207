#version 450
/* ATOMS: y[n][p][q][o] = bias[o] + sum_mij psi[m][ij] u@(p,q,i,j)[m][o]. An invocation computes TILE_A neighbouring
 * outputs of a line for one o (AD_WIDTH=1) or four: each u it loads serves up to K of them.
 * u [task][n][h][w][M][O], psi [task][M][K*K], bias [task][O] or absent, y [task][n][oh][ow][O]. Without AD_WIDTH=1: O
 * % 4 == 0, task strides of u and y multiples of 4, u may be AD_F16. Grid: (n, p, strip of q, o) invocations, o
 * fastest, folded over x and y; z = task.
 * 2 K^2 M O flops a position; u read K (1 + (K-1)/TILE_A) times (stride 1), K of them from cache. AD_TEXEL: u is a
 * texel buffer. Double reference: ATOMS. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/half.glsl"

AD_IN_F16(0, u)
AD_IN1(1, psi)
AD_IN1(2, bias)
AD_OUT(3, ad_o, y)

const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1; /* inputs under a strip */

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int strips = (p.ow + TILE_A - 1) / TILE_A;
    int o = index % OW, strip = index / OW % strips, line = index / OW / strips;
    int first = strip * TILE_A, row0 = line % p.oh * STRIDE - PAD, col0 = first * STRIDE - PAD;
    ad_o sum[TILE_A];
    [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] = ad_o(0);
    for (int i = 0; i < K; i++) {
        int row = row0 + i * DIL;
        if (row < 0 || row >= p.h) continue;
        int pixels = (line / p.oh * p.h + row) * p.w;
        for (int m = 0; m < M; m++) {
            ad_o inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) {
                int col = col0 + s;
                bool inside = col >= 0 && col < p.w;
                inputs[s] =
                    ad_keep(u(ad_task_offset(0, AD_WIDTH) + ((pixels + (inside ? col : 0)) * M + m) * OW + o), inside);
            }
            [[unroll]] for (int j = 0; j < K; j++) {
                float weight = psi(ad_task_offset(1, 1) + m * K * K + i * K + j);
                [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] += weight * inputs[q * STRIDE + j * DIL];
            }
        }
    }
    ad_o add = ad_o(0);
    if (p.optional != 0) {
#if AD_WIDTH == 1
        add = bias(ad_task_offset(2, 1) + o);
#else
        int b = ad_task_offset(2, 1) + 4 * o;
        add = AD_FOUR(bias, b);
#endif
    }
    int at = ad_task_offset(3, AD_WIDTH) + (line * p.ow + first) * OW + o;
    [[unroll]] for (int q = 0; q < TILE_A; q++)
        if (first + q < p.ow) y[at + q * OW] = (ACCUMULATE ? y[at + q * OW] : ad_o(0)) + sum[q] + add;
}
