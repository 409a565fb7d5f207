#version 450
/* COMPOSE_DPSI, first pass: dpsi[m][ij] = sum_co alpha[c][m][o] dw[ij][c][o]. An item is one (c, o); sums and grid as in
 * lib/conv_taps.glsl.
 * dw [task][K*K][C][O], alpha [task][..][M][ld], partial [task][chunk][M][K*K]. 2 K^2 M flops a (c,o).
 * Double reference: COMPOSE_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"

#include "lib/conv_taps.glsl"

AD_IN1(0, dw)
AD_IN1(1, alpha)
AD_OUT(2, float, partial)

void main() {
    if (ad_group() >= p.count) return;
    int m = ad_taps_atom(), end = ad_taps_end(C * O);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        float a = alpha(ad_task_offset(1, 1) + (item / O * M + m) * p.ld + item % O);
        [[unroll]] for (int tap = 0; tap < K * K; tap++) ad_taps[tap] += a * dw(ad_task_offset(0, 1) + tap * C * O + item);
    }
    AD_TAPS_WRITE(partial, 2)
}
