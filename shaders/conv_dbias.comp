#version 450
/* CONV_DBIAS: partial[split][o] = sum of dy[position][o] over the split's positions; conv_reduce.comp adds the splits.
 * dy [task][n*oh*ow][O], partial [task][splits][O]. Grid: splits*O invocations, o fastest, folded over x and y; z =
 * task. One flop and 4 bytes a number of dy. Double reference: CONV_DBIAS. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"
#include "lib/accumulate.glsl"

AD_IN1(0, dy)
AD_OUT(1, float, partial)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int begin = index / O * p.span, end = min(begin + p.span, p.n * p.oh * p.ow);
    float sum = 0.0;
    for (int position = begin; position < end; position++) sum += dy(ad_task_offset(0, 1) + position * O + index % O);
    int at = ad_task_offset(1, 1) + index;
    partial[at] = ACCUMULATE ? partial[at] + sum : sum;
}
