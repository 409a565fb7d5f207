#version 450
/* LINEAR_DX: dx[n][c] = scale sum_o dy[n][o] w[o][c]. One invocation an output.
 * dy [task][n][O], w [task][O][C], dx [task][n][C]. Grid: (n, c) invocations, c fastest, folded over x and y; z = task.
 * 2 O flops an output. Double reference: LINEAR_DX. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, dy)
AD_IN1(1, w)
AD_OUT(2, float, dx)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int n = index / C, c = index % C;
    float sum = 0.0;
    for (int o = 0; o < O; o++) sum += dy(ad_task_offset(0, 1) + n * O + o) * w(ad_task_offset(1, 1) + o * C + c);
    int at = ad_task_offset(2, 1) + index;
    dx[at] = (ACCUMULATE ? dx[at] : 0.0) + p.scale * sum;
}
