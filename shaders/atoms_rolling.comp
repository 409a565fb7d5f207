#version 450
/* ATOMS, rolling: the formula and layouts of atoms.comp at stride and dilation 1, for software drivers, which load lane
 * by lane. An invocation goes down SPAN rows of outputs, TILE_A columns for four o: each line of u is loaded once and
 * added to the K rows of outputs that read it; the topmost of them is then whole. Lanes share the loads of psi
 * (lib/spread.glsl). O % 4 == 0, task strides multiples of 4. Grid: (n, span of rows, strip of q, o) invocations, o
 * fastest, folded over x and y; z = task. u read (1 + (K-1)/SPAN) (1 + (K-1)/TILE_A) times. u and psi are texel
 * buffers, u may be AD_F16. Double reference: ATOMS. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"
#include "lib/spread.glsl"

AD_IN4(0, u)
AD_IN4(1, psi)
AD_IN1(2, bias)
AD_OUT(3, vec4, y)

const int WEIGHTS = (M * K * K + 3) / 4;
const int LINE = TILE_A + K - 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), strips = (p.ow + TILE_A - 1) / TILE_A, spans = (p.oh + p.span - 1) / p.span;
    int o = index % O4, strip = index / O4 % strips, part = index / O4 / strips;
    int first = strip * TILE_A, top = part % spans * p.span, image = part / spans;
    bool alive = index < p.count;
    vec4 weights[AD_LOADS(WEIGHTS)], sum[K * TILE_A];
    AD_SPREAD_LOAD(weights, psi, ad_task_offset(1, 4), WEIGHTS, WEIGHTS)
    int b = ad_task_offset(2, 1) + 4 * o;
    vec4 add = p.optional != 0 ? AD_FOUR(bias, b) : vec4(0);
    [[unroll]] for (int s = 0; s < K * TILE_A; s++) sum[s] = add;
    /* sum[i * TILE_A + q]: of the row that reads this line with row i of the atoms. */
    for (int step = 0; step < p.span + K - 1; step++) {
        int row = top - PAD + step, from[LINE];
        bool inside[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            int col = first - PAD + s;
            inside[s] = alive && row >= 0 && row < p.h && col >= 0 && col < p.w;
            from[s] = ad_task_offset(0, 4) + (inside[s] ? (image * p.h + row) * p.w + col : 0) * M * O4 + o;
        }
        [[unroll]] for (int m = 0; m < M; m++) {
            vec4 inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) inputs[s] = ad_keep(u(from[s] + m * O4), inside[s]);
            [[unroll]] for (int i = 0; i < K; i++)
                [[unroll]] for (int q = 0; q < TILE_A; q++)
                    [[unroll]] for (int j = 0; j < K; j++)
                        sum[i * TILE_A + q] += AD_SPREAD_NUMBER(weights, (m * K + i) * K + j) * inputs[q + j];
        }
        int whole = top + step - (K - 1), at = ad_task_offset(3, 4) + ((image * p.oh + whole) * p.ow + first) * O4 + o;
        bool write = alive && whole >= top && whole < p.oh;
        [[unroll]] for (int q = 0; q < TILE_A; q++)
            if (write && first + q < p.ow)
                y[at + q * O4] = (ACCUMULATE ? y[at + q * O4] : vec4(0)) + sum[(K - 1) * TILE_A + q];
        [[unroll]] for (int s = K * TILE_A - 1; s >= 0; s--) sum[s] = s < TILE_A ? add : sum[max(s - TILE_A, 0)];
    }
}
