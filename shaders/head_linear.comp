#version 450
/* LINEAR: y[n][o] = scale sum_c x[n][c] w[o][c] + bias[o]. A workgroup computes one row n for TILE_A classes, its lanes
 * sharing c. x [task][n][C], w [task][O][C], bias [task][O] or absent, y [task][n][O]. Grid: (n, o/TILE_A) workgroups,
 * o fastest, folded over x and y; z = task. 2 C flops an output. Double reference: LINEAR. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, x)
AD_IN1(1, w)
AD_IN1(2, bias)
AD_OUT(3, float, y)

shared float sums[TILE_A * gl_WorkGroupSize.x];

void main() {
    if (ad_group() >= p.count) return;
    const int tiles = (O + TILE_A - 1) / TILE_A;
    int n = ad_group() / tiles, first = ad_group() % tiles * TILE_A;
    int lanes = int(gl_WorkGroupSize.x), lane = int(gl_LocalInvocationID.x);
    float sum[TILE_A];
    [[unroll]] for (int a = 0; a < TILE_A; a++) sum[a] = 0.0;
    for (int c = lane; c < C; c += lanes) {
        float value = x(ad_task_offset(0, 1) + n * C + c);
        [[unroll]] for (int a = 0; a < TILE_A; a++)
            sum[a] += value * w(ad_task_offset(1, 1) + min(first + a, O - 1) * C + c);
    }
    [[unroll]] for (int a = 0; a < TILE_A; a++) sums[a * lanes + lane] = sum[a];
    barrier();
    for (int o = first + lane; o < min(first + TILE_A, O); o += lanes) {
        float total = 0.0;
        for (int l = 0; l < lanes; l++) total += sums[(o - first) * lanes + l];
        total = p.scale * total + (p.optional != 0 ? bias(ad_task_offset(2, 1) + o) : 0.0);
        int at = ad_task_offset(3, 1) + n * O + o;
        y[at] = ACCUMULATE ? y[at] + total : total;
    }
}
