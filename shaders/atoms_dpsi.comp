#version 450
/* ATOMS_DPSI, first pass: dpsi[m][ij] = sum_npqo u@(p,q,i,j)[m][o] dy[n][p][q][o]. An item is TILE_A neighbouring
 * outputs of a line for one o (AD_WIDTH=1) or four, as in atoms.comp; sums and grid as in lib/conv_taps.glsl.
 * u [task][n][h][w][M][O], dy [task][n][oh][ow][O], partial [task][chunk][M][K*K]. Without AD_WIDTH=1: O % 4 == 0, task
 * strides of u and dy multiples of 4, u may be AD_F16. 2 K^2 M O flops a position; u read K times (K - 1 of them from
 * cache), dy M times. AD_TEXEL: u and dy are texel buffers. Double reference: ATOMS_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"
#include "lib/half.glsl"

#include "lib/conv_taps.glsl"

AD_IN_F16(0, u)
AD_IN_O(1, dy)
AD_OUT(2, float, partial)

const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1;

void main() {
    if (ad_group() >= p.count) return;
    int m = ad_taps_atom(), strips = (p.ow + TILE_A - 1) / TILE_A, end = ad_taps_end(p.n * p.oh * strips * OW);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        int o = item % OW, strip = item / OW % strips, line = item / OW / strips;
        int first = strip * TILE_A, row0 = line % p.oh * STRIDE - PAD, col0 = first * STRIDE - PAD;
        ad_o outputs[TILE_A];
        [[unroll]] for (int q = 0; q < TILE_A; q++) {
            bool inside = first + q < p.ow;
            outputs[q] =
                ad_keep(dy(ad_task_offset(1, AD_WIDTH) + (line * p.ow + (inside ? first + q : 0)) * OW + o), inside);
        }
        [[unroll]] for (int i = 0; i < K; i++) {
            int row = row0 + i * DIL;
            bool row_inside = row >= 0 && row < p.h;
            int pixels = (line / p.oh * p.h + (row_inside ? row : 0)) * p.w;
            ad_o inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) {
                int col = col0 + s;
                bool inside = row_inside && col >= 0 && col < p.w;
                inputs[s] =
                    ad_keep(u(ad_task_offset(0, AD_WIDTH) + ((pixels + (inside ? col : 0)) * M + m) * OW + o), inside);
            }
            [[unroll]] for (int j = 0; j < K; j++)
                [[unroll]] for (int q = 0; q < TILE_A; q++)
                    ad_taps[i * K + j] += dot(outputs[q], inputs[q * STRIDE + j * DIL]);
        }
    }
    AD_TAPS_WRITE(partial, 2)
}
