/* Activations of AFFINE and its kin: ACT 0 none, 1 relu, 2 leaky with `slope`. The derivative is taken from the
 * output. */
layout(constant_id = 1) const uint ACT = 0;

vec4 activate(vec4 v, float slope) {
    if (ACT == 0) return v;
    /* A NaN is neither above nor below 0 and stays one: what diverged must show at the end. */
    precise const vec4 below = ACT == 1 ? vec4(0.0) : slope * v;
    precise const vec4 y = mix(v, below, lessThanEqual(v, vec4(0.0)));
    return y;
}

vec4 activation_slope(vec4 y, float slope) {
    return mix(vec4(ACT == 1 ? 0.0 : slope), vec4(1.0), greaterThan(y, vec4(0.0)));
}
