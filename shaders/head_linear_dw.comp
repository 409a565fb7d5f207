#version 450
/* LINEAR_DW: dw[o][c] = scale sum_n dy[n][o] x[n][c]; dbias[o] = sum_n dy[n][o]. One invocation an output; those past
 * the last dw are the dbias.
 * x [task][n][C], dy [task][n][O], dw [task][O][C], dbias [task][O] or absent. Grid: O*C (+ O) invocations, folded over
 * x and y; z = task. 2 n flops an output. Double reference: LINEAR_DW. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, x)
AD_IN1(1, dy)
AD_OUT(2, float, dw)
AD_OUT(3, float, dbias)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    bool is_bias = index >= O * C;
    int o = is_bias ? index - O * C : index / C, c = index % C;
    float sum = 0.0;
    for (int n = 0; n < p.n; n++) {
        float d = dy(ad_task_offset(1, 1) + n * O + o);
        sum += is_bias ? d : d * x(ad_task_offset(0, 1) + n * C + c);
    }
    if (is_bias) {
        int at = ad_task_offset(3, 1) + o;
        dbias[at] = (ACCUMULATE ? dbias[at] : 0.0) + sum;
    } else {
        int at = ad_task_offset(2, 1) + index;
        dw[at] = (ACCUMULATE ? dw[at] : 0.0) + p.scale * sum;
    }
}
