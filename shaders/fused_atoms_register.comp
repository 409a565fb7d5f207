#version 450
/* FUSED_ATOMS, register tiles: the formula and layouts of fused_atoms.comp, without shared memory or barriers, for the
 * drivers of conv_register.comp. An invocation computes TILE_A positions x TILE_V vec4 of outputs, from the response of
 * an atom to four channels at a time. C % 4 == 0, O % 4 == 0, task strides multiples of 4.
 * Grid: tiles of LANES*TILE_A positions x TILE_V vec4 of outputs, o fastest, folded over x and y; z = task.
 * 2 M C (O + K^2 O/(4 TILE_V)) flops a position. AD_TEXEL: x and packed are texel buffers. Double reference:
 * FUSED_ATOMS. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"

AD_IN4(0, x)
AD_IN4(1, packed)
AD_IN1(2, psi)
AD_IN1(3, bias)
AD_OUT(4, vec4, y)

const int COLUMN_TILES = (O4 + TILE_V - 1) / TILE_V;

void main() {
    if (ad_group() >= p.count) return;
    int first = ad_group() / COLUMN_TILES * int(gl_WorkGroupSize.x) * TILE_A + int(gl_LocalInvocationID.x);
    int column = ad_group() % COLUMN_TILES * TILE_V;
    ad_place window[TILE_A];
    vec4 sum[TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++) window[a] = ad_window_of(first + a * int(gl_WorkGroupSize.x));
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = vec4(0);

    for (int m = 0; m < M; m++) {
        float weight[K * K];
        [[unroll]] for (int tap = 0; tap < K * K; tap++) weight[tap] = psi(ad_task_offset(2, 1) + m * K * K + tap);
        for (int c = 0; c < C4; c++) {
            vec4 z[TILE_A]; /* vec4 over c */
            [[unroll]] for (int a = 0; a < TILE_A; a++) {
                z[a] = vec4(0);
                [[unroll]] for (int tap = 0; tap < K * K; tap++) {
                    int pixel = ad_pixel(window[a], tap / K, tap % K);
                    z[a] += weight[tap] * ad_keep(x(ad_task_offset(0, 4) + max(pixel, 0) * C4 + c), pixel >= 0);
                }
            }
            int row = ad_task_offset(1, 4) + (4 * c * M + m) * O4;
            [[unroll]] for (int v = 0; v < TILE_V; v++) {
                int at = row + min(column + v, O4 - 1);
                vec4 w0 = packed(at), w1 = packed(at + M * O4), w2 = packed(at + 2 * M * O4),
                     w3 = packed(at + 3 * M * O4);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    sum[a * TILE_V + v] += z[a].x * w0 + z[a].y * w1 + z[a].z * w2 + z[a].w * w3;
            }
        }
    }

    [[unroll]] for (int v = 0; v < TILE_V; v++) {
        if (column + v >= O4) return;
        int b = ad_task_offset(3, 1) + 4 * (column + v);
        vec4 add = p.optional != 0 ? AD_FOUR(bias, b) : vec4(0);
        [[unroll]] for (int a = 0; a < TILE_A; a++) {
            int position = first + a * int(gl_WorkGroupSize.x);
            if (position >= p.n * p.oh * p.ow) continue;
            int at = ad_task_offset(4, 4) + position * O4 + column + v;
            vec4 result = sum[a * TILE_V + v] + add;
            y[at] = ACCUMULATE ? y[at] + result : result;
        }
    }
}
