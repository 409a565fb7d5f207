#version 450
/* COMPOSE: w[ij][c][o] = scale[o] (base[ij][c][o] + sum_m alpha[c][m][o] psi[m][ij]). An invocation computes all K*K
 * taps of one (c, o), so alpha is read once.
 * alpha [task][..][M][ld], psi [task][M][K*K], scale [task][O] or absent, w and base (or absent) [task][K*K][C][O];
 * with groups (lib/groups.glsl) alpha[c % IN][m][o % OUT] and psi [task][TO][FROM][M][K*K].
 * Grid: (c, o) invocations, o fastest, folded over x and y; z = task. 2 K^2 M flops a (c,o). Double reference:
 * COMPOSE. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/groups.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, alpha)
AD_IN1(1, psi)
AD_IN1(2, scale)
AD_OUT(3, float, w)
AD_IN1(4, base)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int o = index % O, c = index / O, atoms = ad_task_offset(1, 1) + ad_atoms_of(o / OUT, c / IN);
    float sum[K * K];
    [[unroll]] for (int tap = 0; tap < K * K; tap++)
        sum[tap] = (p.optional & AD_COMPOSE_BASE) != 0 ? base(ad_task_offset(4, 1) + tap * C * O + index) : 0.0;
    for (int m = 0; m < M; m++) {
        float a = alpha(ad_task_offset(0, 1) + (c % IN * M + m) * p.ld + o % OUT);
        [[unroll]] for (int tap = 0; tap < K * K; tap++) sum[tap] += a * psi(atoms + m * K * K + tap);
    }
    float factor = (p.optional & AD_COMPOSE_SCALE) != 0 ? scale(ad_task_offset(2, 1) + o) : 1.0;
    [[unroll]] for (int tap = 0; tap < K * K; tap++) {
        int at = ad_task_offset(3, 1) + tap * C * O + index;
        w[at] = (ACCUMULATE ? w[at] : 0.0) + factor * sum[tap];
    }
}
