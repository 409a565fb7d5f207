#version 450
/* DEPTH_DX: dx[n][h][w][from][c] = sum over to,m,(i,j),(p,q) that read (h,w): psi[to][from][m][ij]
 * dz[n][p][q][to][c][m], groups as in lib/groups.glsl. One invocation an output.
 * dz [task][n][oh][ow][TO][IN][M], psi [task][TO][FROM][M][K*K], dx [task][n][h][w][FROM][IN]. Grid: (n, h, w, from, c)
 * invocations, c fastest, folded over x and y; z = task. 2 K^2 M TO flops an output. Double reference: DEPTH_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"
#include "lib/groups.glsl"

AD_IN1(0, dz)
AD_IN1(1, psi)
AD_OUT(2, float, dx)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    ad_place pixel = ad_place_of(index / C, p.h, p.w);
    float sum = 0.0;
    for (int tap = 0; tap < K * K; tap++) {
        int position = ad_reader(pixel, tap / K, tap % K);
        if (position < 0) continue;
        for (int to = 0; to < TO; to++) {
            int atoms = ad_task_offset(1, 1) + ad_atoms_of(to, index % C / IN) + tap;
            int at = ad_task_offset(0, 1) + ((position * TO + to) * IN + index % IN) * M;
            for (int m = 0; m < M; m++) sum += psi(atoms + m * K * K) * dz(at + m);
        }
    }
    int at = ad_task_offset(2, 1) + index;
    dx[at] = ACCUMULATE ? dx[at] + sum : sum;
}
