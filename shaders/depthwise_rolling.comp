#version 450
/* DEPTHWISE at stride and dilation 1, rolling; AD_DX: DEPTHWISE_DX likewise. For software drivers, which load lane by
 * lane. An invocation goes down SPAN rows of outputs, TILE_A columns for four channels: each line of x is loaded once
 * and added to the K rows of outputs that read it; the topmost of them is then whole. The weights are loaded first.
 * Operands, texel buffers all: lib/depthwise.glsl. Grid: (n, span of rows, strip of q, c) invocations, c fastest,
 * folded over x and y; z = task. 2 K^2 flops an output; x read (1 + (K-1)/SPAN) (1 + (K-1)/TILE_A) times.
 * Double reference: DEPTHWISE, DEPTHWISE_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/depthwise.glsl"

const int LINE = TILE_A + K - 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), strips = (p.ow + TILE_A - 1) / TILE_A, spans = (p.oh + p.span - 1) / p.span;
    int c = index % C4, first = index / C4 % strips * TILE_A, part = index / C4 / strips;
    int begin = part % spans * p.span, image = part / spans;
    bool alive = index < p.count;
    ends e = ends_of(c);
    vec4 weights[K * K], sum[K * TILE_A];
    [[unroll]] for (int t = 0; t < K * K; t++) weights[t] = tap_weight(t, c);
    [[unroll]] for (int s = 0; s < K * TILE_A; s++) sum[s] = e.start;
    /* sum[i * TILE_A + q]: of the row that reads this line with row i of the taps. */
    for (int step = 0; step < p.span + K - 1; step++) {
        int row = begin - PAD + step, from = (image * p.h + row) * p.w + first - PAD;
        vec4 inputs[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            int col = first - PAD + s;
            bool inside = alive && row >= 0 && row < p.h && col >= 0 && col < p.w;
            inputs[s] = ad_keep(x(ad_task_offset(0, 4) + (inside ? from + s : 0) * C4 + c), inside);
        }
        [[unroll]] for (int i = 0; i < K; i++)
            [[unroll]] for (int q = 0; q < TILE_A; q++)
                [[unroll]] for (int j = 0; j < K; j++) sum[i * TILE_A + q] += weights[i * K + j] * inputs[q + j];
        int whole = begin + step - (K - 1);
        [[unroll]] for (int q = 0; q < TILE_A; q++)
            put(((image * p.oh + whole) * p.ow + first + q) * C4 + c, sum[(K - 1) * TILE_A + q], e,
                alive && whole >= begin && whole < p.oh && first + q < p.ow);
        [[unroll]] for (int s = K * TILE_A - 1; s >= 0; s--) sum[s] = s < TILE_A ? e.start : sum[max(s - TILE_A, 0)];
    }
}
