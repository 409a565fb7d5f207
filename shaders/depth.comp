#version 450
/* DEPTH: z[n][p][q][to][c][m] = sum over from, ij of psi[to][from][m][ij] x@(p,q,i,j)[from][c], to and from groups of
 * outputs and inputs (lib/groups.glsl). An invocation computes four channels of one position and group of outputs, four
 * atoms at a time; x is read again for each four atoms (from cache).
 * x [task][n][h][w][FROM][IN], psi [task][TO][FROM][M][K*K], z [task][n][oh][ow][TO][IN][M]. IN % 4 == 0, task stride
 * of x a multiple of 4. Grid: (n, p, q, to, c/4) invocations, c fastest, folded over x and y; z = task. 2 K^2 M FROM
 * flops a c, to and position.
 * Double reference: DEPTH. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/groups.glsl"

AD_IN4(0, x)
AD_IN1(1, psi)
AD_OUT(2, float, z)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int c = index % IN4, to = index / IN4 % TO;
    ad_place window = ad_window_of(index / IN4 / TO);
    for (int m = 0; m < M; m += 4) {
        vec4 sum[4]; /* [m], vec4 over c */
        [[unroll]] for (int e = 0; e < 4; e++) sum[e] = vec4(0);
        for (int tap = 0; tap < K * K; tap++) {
            int pixel = ad_pixel(window, tap / K, tap % K);
            for (int from = 0; from < FROM; from++) {
                vec4 value = ad_keep(x(ad_task_offset(0, 4) + max(pixel, 0) * C4 + from * IN4 + c), pixel >= 0);
                int atoms = ad_task_offset(1, 1) + ad_atoms_of(to, from) + tap;
                [[unroll]] for (int e = 0; e < 4; e++) sum[e] += psi(atoms + min(m + e, M - 1) * K * K) * value;
            }
        }
        int at = ad_task_offset(2, 1) + index * 4 * M + m;
        [[unroll]] for (int channel = 0; channel < 4; channel++)
            [[unroll]] for (int e = 0; e < 4; e++)
                if (m + e < M) z[at + channel * M + e] = (ACCUMULATE ? z[at + channel * M + e] : 0.0) + sum[e][channel];
    }
}
