#version 450
/* FUSED_ATOMS_DX, register tiles: the formula and layouts of fused_atoms_dx.comp, for the drivers of
 * conv_register.comp. An invocation computes TILE_A pixels x TILE_V vec4 of c, from the response of an atom to four
 * outputs at a time. Taps are masked, not skipped, so there is no need for classes of pixels. C % 4 == 0, O % 4 == 0,
 * task strides multiples of 4.
 * Grid: tiles of LANES*TILE_A pixels x TILE_V vec4 of c, c fastest, folded over x and y; z = task.
 * 2 M O (C + K^2 C/(4 TILE_V)) flops a pixel. AD_TEXEL: dy and packed are texel buffers.
 * Double reference: FUSED_ATOMS_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/conv_place.glsl"

AD_IN4(0, dy)
AD_IN4(1, packed)
AD_IN1(2, psi)
AD_OUT(3, vec4, dx)

const int COLUMN_TILES = (C4 + TILE_V - 1) / TILE_V;

void main() {
    if (ad_group() >= p.count) return;
    int first = ad_group() / COLUMN_TILES * int(gl_WorkGroupSize.x) * TILE_A + int(gl_LocalInvocationID.x);
    int column = ad_group() % COLUMN_TILES * TILE_V;
    ad_place pixel[TILE_A];
    vec4 sum[TILE_A * TILE_V];
    [[unroll]] for (int a = 0; a < TILE_A; a++) pixel[a] = ad_place_of(first + a * int(gl_WorkGroupSize.x), p.h, p.w);
    [[unroll]] for (int s = 0; s < TILE_A * TILE_V; s++) sum[s] = vec4(0);

    for (int m = 0; m < M; m++) {
        float weight[K * K];
        [[unroll]] for (int tap = 0; tap < K * K; tap++) weight[tap] = psi(ad_task_offset(2, 1) + m * K * K + tap);
        for (int o = 0; o < O4; o++) {
            vec4 r[TILE_A]; /* vec4 over o */
            [[unroll]] for (int a = 0; a < TILE_A; a++) {
                r[a] = vec4(0);
                [[unroll]] for (int tap = 0; tap < K * K; tap++) {
                    int position = ad_reader(pixel[a], tap / K, tap % K);
                    r[a] += weight[tap] * ad_keep(dy(ad_task_offset(0, 4) + max(position, 0) * O4 + o), position >= 0);
                }
            }
            [[unroll]] for (int v = 0; v < TILE_V; v++) {
                int at = ad_task_offset(1, 4) + (4 * min(column + v, C4 - 1) * M + m) * O4 + o;
                vec4 w0 = packed(at), w1 = packed(at + M * O4), w2 = packed(at + 2 * M * O4),
                     w3 = packed(at + 3 * M * O4);
                [[unroll]] for (int a = 0; a < TILE_A; a++)
                    sum[a * TILE_V + v] += vec4(dot(r[a], w0), dot(r[a], w1), dot(r[a], w2), dot(r[a], w3));
            }
        }
    }

    [[unroll]] for (int a = 0; a < TILE_A; a++) {
        if (!pixel[a].inside) return;
        int at = ad_task_offset(3, 4) + ((pixel[a].image * p.h + pixel[a].row) * p.w + pixel[a].col) * C4 + column;
        [[unroll]] for (int v = 0; v < TILE_V; v++)
            if (column + v < C4) dx[at + v] = ACCUMULATE ? dx[at + v] + sum[a * TILE_V + v] : sum[a * TILE_V + v];
    }
}
