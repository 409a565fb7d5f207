#version 450
/* DEPTHWISE, shared; AD_DX: DEPTHWISE_DX at stride 1 likewise. For GPUs: a workgroup computes TILE_A rows of TILE_V columns for
 * LANES/TILE_V vec4 of channels. It loads what they read into shared memory once; then an invocation takes a column of
 * outputs, and each weight is read once for all rows of it.
 * Operands: lib/depthwise.glsl. Grid: (n, tile of rows, tile of columns, LANES/TILE_V vec4 of c) workgroups, c fastest,
 * folded over x and y; z = task. 2 K^2 flops an output; at stride 1 x read (1 + (K-1)/TILE_A) (1 + (K-1)/TILE_V) times.
 * Double reference: DEPTHWISE, DEPTHWISE_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/depthwise.glsl"

const int CHANNELS = int(gl_WorkGroupSize.x) / TILE_V;
const int ROWS = (TILE_A - 1) * STRIDE + (K - 1) * DIL + 1, COLUMNS = (TILE_V - 1) * STRIDE + (K - 1) * DIL + 1;
shared vec4 inputs[ROWS * COLUMNS * CHANNELS];

void main() {
    const int lane = int(gl_LocalInvocationID.x), channel = lane % CHANNELS, column = lane / CHANNELS;
    const int blocks = (C4 + CHANNELS - 1) / CHANNELS, across = (p.ow + TILE_V - 1) / TILE_V,
              down = (p.oh + TILE_A - 1) / TILE_A;
    const int tile = ad_group() / blocks, image = tile / across / down;
    const int c = ad_group() % blocks * CHANNELS + channel, left = tile % across * TILE_V,
              above = tile / across % down * TILE_A;
    const bool alive = ad_group() < p.count && c < C4;
    for (int s = column; s < ROWS * COLUMNS; s += TILE_V) {
        int row = above * STRIDE - PAD + s / COLUMNS, col = left * STRIDE - PAD + s % COLUMNS;
        bool inside = alive && row >= 0 && row < p.h && col >= 0 && col < p.w;
        int from = inside ? ((image * p.h + row) * p.w + col) * C4 + c : 0;
        inputs[s * CHANNELS + channel] = ad_keep(x(ad_task_offset(0, 4) + from), inside);
    }
    barrier();
    if (!alive || left + column >= p.ow) return;
    ends e = ends_of(c);
    vec4 sum[TILE_A];
    [[unroll]] for (int a = 0; a < TILE_A; a++) sum[a] = e.start;
    for (int i = 0; i < K; i++)
        for (int j = 0; j < K; j++) {
            vec4 weight = tap_weight(i * K + j, c);
            int at = (i * DIL * COLUMNS + column * STRIDE + j * DIL) * CHANNELS + channel;
            [[unroll]] for (int a = 0; a < TILE_A; a++)
                sum[a] += weight * inputs[at + a * STRIDE * COLUMNS * CHANNELS];
        }
    [[unroll]] for (int a = 0; a < TILE_A; a++)
        put(((image * p.oh + above + a) * p.ow + left + column) * C4 + c, sum[a], e, above + a < p.oh);
}
