#version 450
/* Second pass of the two-pass reductions: out[j] = sum_s partial[s][j], s ascending, one invocation a j.
 * partial [task][splits][span], out [task][span]. Grid: span invocations, folded over x and y; z = task.
 * splits flops and 4 splits bytes an output. Double reference: that of the operation. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"

AD_IN1(0, partial)
AD_OUT(1, float, result)

void main() {
    int j = ad_invocation();
    if (j >= p.count) return;
    float sum = 0.0;
    for (int s = 0; s < p.splits; s++) sum += partial(ad_task_offset(0, 1) + s * p.span + j);
    int at = ad_task_offset(1, 1) + j;
    result[at] = p.accumulate != 0 ? result[at] + sum : sum;
}
