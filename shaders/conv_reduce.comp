#version 450
/* Second pass of the two-pass reductions: out[j] = sum_s partial[s][j], s ascending, one invocation a j (AD_WIDTH=1) or
 * four. partial [task][splits][span], out [task][span]. Without AD_WIDTH=1: span % 4 == 0, task strides multiples of 4.
 * Grid: span/AD_WIDTH invocations, folded over x and y; z = task.
 * splits flops and 4 splits bytes an output. AD_TEXEL: partial is a texel buffer. Double reference: that of the
 * operation. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN_O(0, partial)
AD_OUT(1, ad_o, result)

void main() {
    int j = ad_invocation(), span = p.span / AD_WIDTH;
    if (j >= p.count) return;
    ad_o sum = ad_o(0);
    for (int s = 0; s < p.splits; s++) sum += partial(ad_task_offset(0, AD_WIDTH) + s * span + j);
    int at = ad_task_offset(1, AD_WIDTH) + j;
    result[at] = ACCUMULATE ? result[at] + sum : sum;
}
