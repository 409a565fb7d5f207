#version 450
/* DEPTH_DPSI, first pass: dpsi[m][ij] = sum_npqc x@(p,q,i,j)[c] dz[n][p][q][c][m]. An item is four channels of one position; sums
 * and grid as in lib/conv_taps.glsl.
 * x [task][n][h][w][C], dz [task][n][oh][ow][C][M], partial [task][chunk][M][K*K]. C % 4 == 0, task stride of x a multiple of 4.
 * 2 K^2 M C flops a position. Double reference: DEPTH_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

#include "lib/conv_taps.glsl"

AD_IN4(0, x)
AD_IN1(1, dz)
AD_OUT(2, float, partial)

void main() {
    if (ad_group() >= p.count) return;
    int m = ad_taps_atom(), end = ad_taps_end(p.n * p.oh * p.ow * C4);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        ad_place window = ad_window_of(item / C4);
        int from = ad_task_offset(1, 1) + item * 4 * M + m;
        vec4 d = vec4(dz(from), dz(from + M), dz(from + 2 * M), dz(from + 3 * M));
        [[unroll]] for (int tap = 0; tap < K * K; tap++) {
            int pixel = ad_pixel(window, tap / K, tap % K);
            ad_taps[tap] += dot(d, ad_keep(x(ad_task_offset(0, 4) + max(pixel, 0) * C4 + item % C4), pixel >= 0));
        }
    }
    AD_TAPS_WRITE(partial, 2)
}
