/* Activations of AFFINE and its kin: ACT 0 none, 1 relu, 2 leaky with `slope`. The derivative is taken from the output. */
layout(constant_id = 1) const uint ACT = 0;

vec4 activate(vec4 v, float slope) {
    if (ACT == 0) return v;
    return mix(ACT == 1 ? vec4(0.0) : slope * v, v, greaterThan(v, vec4(0.0)));
}

vec4 activation_slope(vec4 y, float slope) { return mix(vec4(ACT == 1 ? 0.0 : slope), vec4(1.0), greaterThan(y, vec4(0.0))); }
