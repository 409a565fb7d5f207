#version 450
/* DEPTHWISE_DW: dw[ij][c] = sum_npq x@(p,q,i,j)[c] dy[n][p][q][c]. An invocation sums one row i of the taps for four
 * channels over one split of the lines (n,p), SPAN of them, TILE_A columns at a time.
 * x [task][n][h][w][C], dy [task][n][oh][ow][C], partial [task][split][K*K][C]. C % 4 == 0, task strides multiples
 * of 4. First pass; conv_reduce.comp adds the splits (with one split this writes dw).
 * Grid: (split, i, c) invocations, c fastest, folded over x and y; z = task. 2 K^2 flops a c and position. AD_TEXEL: x
 * and dy are texel buffers. Double reference: DEPTHWISE_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, partial)

const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), c = index % C4, i = index / C4 % K, split = index / C4 / K;
    int strips = (p.ow + TILE_A - 1) / TILE_A;
    bool alive = index < p.count;
    vec4 sum[K];
    [[unroll]] for (int j = 0; j < K; j++) sum[j] = vec4(0);
    for (int step = 0; step < p.span * strips; step++) {
        int line = split * p.span + step / strips, first = step % strips * TILE_A, image = line / p.oh;
        int row = line % p.oh * STRIDE - PAD + i * DIL, left = first * STRIDE - PAD;
        int from = (image * p.h + row) * p.w + left;
        bool there = alive && line < p.n * p.oh && row >= 0 && row < p.h;
        vec4 d[TILE_A];
        [[unroll]] for (int q = 0; q < TILE_A; q++) {
            bool inside = there && first + q < p.ow;
            d[q] = ad_keep(dy(ad_task_offset(1, 4) + (inside ? line * p.ow + first + q : 0) * C4 + c), inside);
        }
        vec4 inputs[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            bool inside = there && left + s >= 0 && left + s < p.w;
            inputs[s] = ad_keep(x(ad_task_offset(0, 4) + (inside ? from + s : 0) * C4 + c), inside);
        }
        [[unroll]] for (int j = 0; j < K; j++)
            [[unroll]] for (int q = 0; q < TILE_A; q++) sum[j] += inputs[q * STRIDE + j * DIL] * d[q];
    }
    [[unroll]] for (int j = 0; j < K; j++) {
        int at = ad_task_offset(2, 4) + ((split * K + i) * K + j) * C4 + c;
        if (alive) partial[at] = ACCUMULATE ? partial[at] + sum[j] : sum[j];
    }
}
