#version 450
/* DEPTH_DPSI, first pass: dpsi[to][from][m][ij] = sum_npqc x@(p,q,i,j)[from][c] dz[n][p][q][to][c][m]. An item is four
 * channels of one position; sums, groups and grid as in lib/conv_taps.glsl.
 * x [task][n][h][w][FROM][IN], dz [task][n][oh][ow][TO][IN][M], partial [task][chunk][TO][FROM][M][K*K]. IN % 4 == 0,
 * task stride of x a multiple of 4. 2 K^2 M C TO flops a position. Double reference: DEPTH_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

#include "lib/conv_taps.glsl"

AD_IN4(0, x)
AD_IN1(1, dz)
AD_OUT(2, float, partial)

void main() {
    if (ad_group() >= p.count) return;
    int atom = ad_taps_atom(), m = atom % M, from = atom / M % FROM, to = atom / M / FROM,
        end = ad_taps_end(p.n * p.oh * p.ow * IN4);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        ad_place window = ad_window_of(item / IN4);
        int at = ad_task_offset(1, 1) + ((item / IN4 * TO + to) * IN + item % IN4 * 4) * M + m;
        vec4 d = vec4(dz(at), dz(at + M), dz(at + 2 * M), dz(at + 3 * M));
        [[unroll]] for (int tap = 0; tap < K * K; tap++) {
            int pixel = ad_pixel(window, tap / K, tap % K);
            ad_taps[tap] +=
                dot(d, ad_keep(x(ad_task_offset(0, 4) + max(pixel, 0) * C4 + from * IN4 + item % IN4), pixel >= 0));
        }
    }
    AD_TAPS_WRITE(partial, 2)
}
