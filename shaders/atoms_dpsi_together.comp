#version 450
/* ATOMS_DPSI, together, first pass: the formula and layouts of atoms_dpsi.comp, for software drivers, which load lane
 * by lane. A workgroup sums the gradients of all atoms: an item is TILE_A neighbouring pixels of a line for four o and
 * all m, so that dy is loaded once for all atoms and u once for all taps, in the order of memory. Sums and grid as in
 * lib/conv_taps.glsl. O % 4 == 0, task strides of u and dy multiples of 4. 2 K^2 M O flops a position; u read once, dy
 * K (1 + (K-1)/TILE_A) times (stride 1; all but one from cache). u and dy are texel buffers. Double reference:
 * ATOMS_DPSI. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/conv_place.glsl"

#define AD_TAPS_TOGETHER
#include "lib/conv_taps.glsl"

AD_IN4(0, u)
AD_IN4(1, dy)
AD_OUT(2, float, partial)

const int REACH = (K - 1) * DIL, LINE = TILE_A + REACH; /* outputs that read a strip, were the stride 1 */

void main() {
    if (ad_group() >= p.count) return;
    int strips = (p.w + TILE_A - 1) / TILE_A, end = ad_taps_end(p.n * p.h * strips * O4);
    ad_taps_clear();
    for (int item = ad_taps_begin(); item < end; item += int(gl_WorkGroupSize.x)) {
        int o = item % O4, strip = item / O4, first = strip % strips * TILE_A, line = strip / strips;
        vec4 outputs[K * LINE];
        [[unroll]] for (int i = 0; i < K; i++)
            [[unroll]] for (int l = 0; l < LINE; l++) {
                int position = ad_reader(ad_place(line / p.h, line % p.h, first + l - REACH, true), i, 0);
                outputs[i * LINE + l] = ad_keep(dy(ad_task_offset(1, 4) + max(position, 0) * O4 + o), position >= 0);
            }
        [[unroll]] for (int m = 0; m < M; m++) {
            vec4 inputs[TILE_A];
            [[unroll]] for (int s = 0; s < TILE_A; s++) {
                int pixel = line * p.w + min(first + s, p.w - 1);
                inputs[s] = ad_keep(u(ad_task_offset(0, 4) + (pixel * M + m) * O4 + o), first + s < p.w);
            }
            [[unroll]] for (int i = 0; i < K; i++)
                [[unroll]] for (int j = 0; j < K; j++)
                    [[unroll]] for (int s = 0; s < TILE_A; s++)
                        ad_taps[(m * K + i) * K + j] += dot(outputs[i * LINE + s + REACH - j * DIL], inputs[s]);
        }
    }
    AD_TAPS_WRITE(partial, 2)
}
