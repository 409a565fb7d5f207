#version 450
/* COMPOSE_DALPHA: dalpha[c][m][o] = sum_ij dw[ij][c][o] psi[m][ij] for c < C, o < O; the rest of dalpha is zeroed, or
 * left alone with accumulate. One invocation an element of dalpha.
 * With groups (lib/groups.glsl) c < IN, o < OUT, and the sum is over all pairs of groups too.
 * dw [task][K*K][C][O], psi [task][TO][FROM][M][K*K], dalpha [task][rows][M][ld]. Grid: (row, m, o) invocations, o
 * fastest, folded over x and y; z = task. 2 K^2 flops an element. Double reference: COMPOSE_DALPHA. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/groups.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, dw)
AD_IN1(1, psi)
AD_OUT(2, float, dalpha)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int o = index % p.ld, m = index / p.ld % M, c = index / p.ld / M;
    float sum = 0.0;
    for (int pair = 0; c < IN && o < OUT && pair < TO * FROM; pair++) {
        int from = pair % FROM, to = pair / FROM, atoms = ad_task_offset(1, 1) + ad_atoms_of(to, from) + m * K * K;
        int at = ad_task_offset(0, 1) + (from * IN + c) * O + to * OUT + o;
        for (int tap = 0; tap < K * K; tap++) sum += dw(at + tap * C * O) * psi(atoms + tap);
    }
    int at = ad_task_offset(2, 1) + index;
    dalpha[at] = ACCUMULATE ? dalpha[at] + sum : sum;
}
