#version 450
/* DEPTHWISE: y[n][p][q][c] = act(scale[c]*(bias[c] + sum_ij w[ij][c] x@(p,q,i,j)[c]) + shift[c] + residual). An
 * invocation computes TILE_A neighbouring outputs of a line for four channels, and loads each input of a line of the
 * window once. Operands: lib/depthwise.glsl. Grid: (n, p, strip of q, c) invocations, c fastest, folded over x and y;
 * z = task. 2 K^2 flops an output; at stride 1 x read K (1 + (K-1)/TILE_A) times.
 * AD_TEXEL: what is read is in texel buffers. Double reference: DEPTHWISE. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/depthwise.glsl"

const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), strips = (p.ow + TILE_A - 1) / TILE_A;
    int c = index % C4, first = index / C4 % strips * TILE_A, line = index / C4 / strips;
    int top = line % p.oh * STRIDE - PAD, left = first * STRIDE - PAD;
    bool alive = index < p.count;
    ends e = ends_of(c);
    vec4 sum[TILE_A];
    [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] = e.start;
    [[unroll]] for (int i = 0; i < K; i++) {
        int row = top + i * DIL, from = (line / p.oh * p.h + row) * p.w + left;
        vec4 inputs[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            bool inside = alive && row >= 0 && row < p.h && left + s >= 0 && left + s < p.w;
            inputs[s] = ad_keep(x(ad_task_offset(0, 4) + (inside ? from + s : 0) * C4 + c), inside);
        }
        [[unroll]] for (int j = 0; j < K; j++) {
            vec4 weight = tap_weight(i * K + j, c);
            [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] += weight * inputs[q * STRIDE + j * DIL];
        }
    }
    [[unroll]] for (int q = 0; q < TILE_A; q++)
        put((line * p.ow + first + q) * C4 + c, sum[q], e, alive && first + q < p.ow);
}
