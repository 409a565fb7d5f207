#version 450
/* COMPOSE_DPSI, first pass: dpsi[to][from][m][ij] = sum_co alpha[c][m][o] dw[ij][from][c][to][o]. An item is one (c, o)
 * of a pair of groups; sums, groups and grid as in lib/conv_taps.glsl.
 * dw [task][K*K][C][O], alpha [task][..][M][ld], partial [task][chunk][TO][FROM][M][K*K]. 2 K^2 M flops a number of a
 * tap of dw.
 * Double reference: COMPOSE_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"

#include "lib/conv_taps.glsl"

AD_IN1(0, dw)
AD_IN1(1, alpha)
AD_OUT(2, float, partial)

void main() {
    if (ad_group() >= p.count) return;
    int atom = ad_taps_atom(), m = atom % M, from = atom / M % FROM, to = atom / M / FROM, end = ad_taps_end(IN * OUT);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        int c = item / OUT, o = item % OUT, at = ad_task_offset(0, 1) + (from * IN + c) * O + to * OUT + o;
        float a = alpha(ad_task_offset(1, 1) + (c * M + m) * p.ld + o);
        [[unroll]] for (int tap = 0; tap < K * K; tap++) ad_taps[tap] += a * dw(at + tap * C * O);
    }
    AD_TAPS_WRITE(partial, 2)
}
