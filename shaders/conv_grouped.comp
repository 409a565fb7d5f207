#version 450
/* CONV in groups of channels, strips: the formula and layouts of conv.comp with those of lib/conv_groups.glsl. An
 * invocation computes a strip of TILE_A neighbouring outputs of a line, one vec4 of o; neighbouring lanes have
 * neighbouring o, so that a GPU's loads of x, w and y lie together. C % 4 == 0, O/GROUPS % 4 == 0, task strides
 * multiples of 4.
 * Grid: (line of n*oh, strip, o) invocations, o fastest, folded over x and y; z = task.
 * 2 K^2 C O flops a position; x read K (K + TILE_A - 1)/TILE_A times (stride 1), w once per TILE_A positions. AD_TEXEL:
 * x, w, coef and residual are texel buffers.
 * Double reference: CONV. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/conv_groups.glsl"
#include "lib/epilogue.glsl"

AD_IN4(0, x)
AD_IN4(1, w)
AD_IN1(2, bias)
AD_OUT(3, vec4, y)

const int LINE = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1; /* inputs under a strip */

void main() {
    int index = ad_invocation(), strips = (p.ow + TILE_A - 1) / TILE_A;
    int o = index % O4, strip = index / O4 % strips, line = min(index, p.count - 1) / O4 / strips;
    int first = strip * TILE_A, row0 = line % p.oh * STRIDE - PAD, col0 = first * STRIDE - PAD;
    int channel = ad_task_offset(0, 4) + o / GROUP_O4 * C4;
    vec4 sum[TILE_A];
    [[unroll]] for (int q = 0; q < TILE_A; q++) sum[q] = vec4(0);
    for (int i = 0; i < K; i++) {
        int row = row0 + i * DIL, from[LINE];
        bool inside[LINE];
        [[unroll]] for (int s = 0; s < LINE; s++) {
            inside[s] = row >= 0 && row < p.h && col0 + s >= 0 && col0 + s < p.w;
            from[s] = channel + (inside[s] ? (line / p.oh * p.h + row) * p.w + col0 + s : 0) * PIXEL4;
        }
        for (int c = 0; c < C4; c++) {
            vec4 inputs[LINE];
            [[unroll]] for (int s = 0; s < LINE; s++) inputs[s] = ad_keep(x(from[s] + c), inside[s]);
            [[unroll]] for (int j = 0; j < K; j++) {
                int at = ad_task_offset(1, 4) + ((i * K + j) * C + 4 * c) * O4 + o;
                vec4 w0 = w(at), w1 = w(at + O4), w2 = w(at + 2 * O4), w3 = w(at + 3 * O4);
                [[unroll]] for (int q = 0; q < TILE_A; q++) {
                    vec4 a = inputs[q * STRIDE + j * DIL];
                    sum[q] += a.x * w0 + a.y * w1 + a.z * w2 + a.w * w3;
                }
            }
        }
    }
    int b = ad_task_offset(2, 1) + 4 * o;
    vec4 add = p.optional != 0 ? AD_FOUR(bias, b) : vec4(0);
    [[unroll]] for (int q = 0; q < TILE_A; q++) {
        int at = (line * p.ow + min(first + q, p.ow - 1)) * O4 + o;
        vec4 result = ad_finish_at(sum[q] + add, o, at);
        at += ad_task_offset(3, 4);
        if (index < p.count && first + q < p.ow) y[at] = p.accumulate != 0 ? y[at] + result : result;
    }
}
