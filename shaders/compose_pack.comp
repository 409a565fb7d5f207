#version 450
/* PACK: packed[c][m][o] = scale[o] alpha[c][m][o]: the slice of the shared coefficients that a layer uses.
 * alpha [task][..][M][ld], scale [task][O] or absent, packed [task][C][M][O]. Grid: (c, m, o) invocations, o fastest,
 * folded over x and y; z = task. 8 bytes a number. Double reference: PACK. */
#extension GL_GOOGLE_include_directive : require
#include "lib/conv.glsl"

AD_IN1(0, alpha)
AD_IN1(1, scale)
AD_OUT(2, float, packed)

void main() {
    int index = ad_invocation();
    if (index >= p.count) return;
    int o = index % O;
    float value = alpha(ad_task_offset(0, 1) + index / O * p.ld + o);
    if (p.optional != 0) value *= scale(ad_task_offset(1, 1) + o);
    packed[ad_task_offset(2, 1) + index] = value;
}
