#version 450
/* LINEAR, texel: the formula and layouts of head_linear.comp, for software drivers, which load lane by lane. A
 * workgroup computes TILE_A rows n for TILE_V classes, its lanes sharing c, four at a time. C % 4 == 0, task strides
 * multiples of 4.
 * Grid: (n/TILE_A, o/TILE_V) workgroups, o fastest, folded over x and y; z = task.
 * 2 C flops an output; x read O/TILE_V times, w n/TILE_A times. x and w are texel buffers. Double reference: LINEAR. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN4(0, x)
AD_IN4(1, w)
AD_IN1(2, bias)
AD_OUT(3, float, y)

shared float sums[TILE_A * TILE_V * gl_WorkGroupSize.x];

void main() {
    if (ad_group() >= p.count) return;
    const int tiles = (O + TILE_V - 1) / TILE_V;
    int n = ad_group() / tiles * TILE_A, first = ad_group() % tiles * TILE_V;
    int lanes = int(gl_WorkGroupSize.x), lane = int(gl_LocalInvocationID.x);
    float sum[TILE_A * TILE_V];
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = 0.0;
    for (int c = lane; c < C4; c += lanes) {
        vec4 rows[TILE_A];
        [[unroll]] for (int a = 0; a < TILE_A; a++) rows[a] = x(ad_task_offset(0, 4) + min(n + a, p.n - 1) * C4 + c);
        [[unroll]] for (int v = 0; v < TILE_V; v++) {
            vec4 weights = w(ad_task_offset(1, 4) + min(first + v, O - 1) * C4 + c);
            [[unroll]] for (int a = 0; a < TILE_A; a++) sum[a * TILE_V + v] += dot(rows[a], weights);
        }
    }
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sums[s * lanes + lane] = sum[s];
    barrier();
    for (int s = lane; s < TILE_A * TILE_V; s += lanes) {
        int row = n + s / TILE_V, o = first + s % TILE_V;
        if (row >= p.n || o >= O) continue;
        float total = 0.0;
        for (int l = 0; l < lanes; l++) total += sums[s * lanes + l];
        total = p.scale * total + (p.optional != 0 ? bias(ad_task_offset(2, 1) + o) : 0.0);
        int at = ad_task_offset(3, 1) + row * O + o;
        y[at] = ACCUMULATE ? y[at] + total : total;
    }
}
