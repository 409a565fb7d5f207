#version 450
/* DEPTHWISE_DW, rolling: the formula and layouts of depthwise_dw.comp at stride and dilation 1, for software drivers,
 * which load lane by lane. An invocation takes p.rows units of (n, SPAN lines of x, strip of TILE_A columns of outputs)
 * for four channels, and goes down their lines: each line of x is loaded once and multiplied by the K lines of dy that
 * read it, of which one is loaded with each line. x and dy are texel buffers.
 * First pass; conv_reduce.comp adds the splits. Grid: (split of units, c) invocations, c fastest, folded over x and y;
 * z = task. x read 1 + (K-1)/TILE_A times, dy 1 + (K-1)/SPAN times. Double reference: DEPTHWISE_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN4(0, x)
AD_IN4(1, dy)
AD_OUT(2, vec4, partial)

const int LINE = TILE_A + K - 1; /* inputs under a strip */

int top, first, image, c;
bool alive;
/* Output column q of the strip in row `row`; zero where there is none. */
vec4 gradient(int row, int q) {
    bool inside = alive && row >= 0 && row < p.oh && first + q < p.ow;
    int at = inside ? (image * p.oh + row) * p.ow + first + q : 0;
    return ad_keep(dy(ad_task_offset(1, 4) + at * C4 + c), inside);
}

void main() {
    int index = ad_invocation(), split = index / C4;
    int strips = (p.ow + TILE_A - 1) / TILE_A, spans = (p.h + p.span - 1) / p.span;
    vec4 sum[K * K], d[K * TILE_A];
    c = index % C4;
    [[unroll]] for (int t = 0; t < K * K; t++) sum[t] = vec4(0);
    for (int unit = split * p.rows; unit < (split + 1) * p.rows; unit++) {
        first = unit % strips * TILE_A;
        top = unit / strips % spans * p.span;
        image = unit / strips / spans;
        alive = index < p.count && image < p.n;
        /* d[i * TILE_A + q]: of the output that reads this line with row i of the taps, row top + step + PAD - i. */
        [[unroll]] for (int i = 1; i < K; i++)
            [[unroll]] for (int q = 0; q < TILE_A; q++) d[(i - 1) * TILE_A + q] = gradient(top + PAD - i, q);
        for (int step = 0; step < p.span; step++) {
            int row = top + step, from = (image * p.h + row) * p.w + first - PAD;
            [[unroll]] for (int s = K * TILE_A - 1; s >= TILE_A; s--) d[s] = d[s - TILE_A];
            [[unroll]] for (int q = 0; q < TILE_A; q++) d[q] = gradient(row + PAD, q);
            vec4 inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) {
                int col = first - PAD + s;
                bool inside = alive && row < p.h && col >= 0 && col < p.w;
                inputs[s] = ad_keep(x(ad_task_offset(0, 4) + (inside ? from + s : 0) * C4 + c), inside);
            }
            [[unroll]] for (int i = 0; i < K; i++)
                [[unroll]] for (int j = 0; j < K; j++)
                    [[unroll]] for (int q = 0; q < TILE_A; q++) sum[i * K + j] += inputs[q + j] * d[i * TILE_A + q];
        }
    }
    int to = ad_task_offset(2, 4) + split * K * K * C4 + c;
    [[unroll]] for (int t = 0; t < K * K; t++)
        if (index < p.count) partial[to + t * C4] = ACCUMULATE ? partial[to + t * C4] + sum[t] : sum[t];
}
