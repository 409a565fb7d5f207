/* Activations (src/plan/activation.h) and their derivatives. `act` is one of AD_ACTIVATION_*, as a rule a
 * specialization constant, so that one of them remains; `parameter` is the slope of the leaky one. A NaN stays one: it
 * is seen by its bits, since what comparisons and exp make of it is the driver's choice.
 *
 * Errors: exp(x) of the language 3 + 2|x| ULP; act_normal 16 EPS absolute, EPS = 2^-24 (src/verify/reference/
 * activation.h). exp gets no argument above 0. */
vec4 act_keep_nan(vec4 result, vec4 v) {
    return mix(result, v, greaterThan(floatBitsToUint(v) & 0x7fffffffu, uvec4(0x7f800000u)));
}

/* sigmoid(x), and sigmoid(-x) = 1 - sigmoid(x) without cancellation. */
vec4 act_sigmoid(vec4 x, out vec4 rest) {
    const vec4 e = exp(-abs(x)), large = 1.0 / (1.0 + e), small = e * large;
    const bvec4 positive = greaterThan(x, vec4(0.0));
    rest = mix(large, small, positive);
    return mix(small, large, positive);
}

/* The normal distribution's (1 + erf(x/sqrt 2))/2, by the rational function of src/cpu/activation.h. */
vec4 act_normal(vec4 x) {
    const vec4 t = x * x;
    vec4 p = vec4(4.54991775718e-8), q = vec4(1.19750704684e-6);
    p = p * t + 1.27041440746e-5;
    q = q * t + 7.36461141041e-5;
    p = p * t + 0.000337643293874;
    q = q * t + 0.00188442216861;
    p = p * t + 0.00935447207119;
    q = q * t + 0.0286456526773;
    p = p * t + 0.0677045429746;
    q = q * t + 0.251520979689;
    p = p * t + 0.797884469327;
    q = q * t + 1.0;
    return 0.5 + 0.5 * mix(x * p / q, sign(x), greaterThanEqual(abs(x), vec4(5.5)));
}

/* 2 sqrt(2/pi) (v + 0.044715 v^3): GELU's tanh form is v sigmoid(this). Past 11 its exp is 0 or infinite anyway. */
vec4 act_gelu_argument(vec4 v) {
    const vec4 x = clamp(v, -11.0, 11.0);
    return 1.59576912 * x * (1.0 + 0.044715 * x * x);
}

vec4 act_value(uint act, vec4 v, float parameter) {
    if (act == AD_ACTIVATION_NONE) return v;
    if (act == AD_ACTIVATION_RELU || act == AD_ACTIVATION_LEAKY) {
        /* A NaN is neither above nor below 0 and stays one: what diverged must show at the end. */
        precise const vec4 below = act == AD_ACTIVATION_RELU ? vec4(0.0) : parameter * v;
        precise const vec4 y = mix(v, below, lessThanEqual(v, vec4(0.0)));
        return y;
    }
    vec4 rest, y = v;
    switch (act) {
    case AD_ACTIVATION_RELU6: y = clamp(v, 0.0, 6.0); break;
    case AD_ACTIVATION_SILU: y = v * act_sigmoid(v, rest); break;
    case AD_ACTIVATION_HARD_SWISH: y = v * (clamp(v + 3.0, 0.0, 6.0) * (1.0 / 6.0)); break;
    case AD_ACTIVATION_SIGMOID: y = act_sigmoid(v, rest); break;
    case AD_ACTIVATION_HARD_SIGMOID: y = clamp(v + 3.0, 0.0, 6.0) * (1.0 / 6.0); break;
    case AD_ACTIVATION_GELU: y = v * act_normal(v); break;
    case AD_ACTIVATION_GELU_TANH: y = v * act_sigmoid(act_gelu_argument(v), rest); break;
    }
    return act_keep_nan(y, v);
}

/* Whether act_slope takes the activation's output y; else it takes v, the number before the activation. */
bool act_by_output(uint act) {
    return act != AD_ACTIVATION_SILU && act != AD_ACTIVATION_HARD_SWISH && act != AD_ACTIVATION_GELU &&
           act != AD_ACTIVATION_GELU_TANH;
}

vec4 act_slope(uint act, vec4 from, float parameter) {
    const vec4 one = vec4(1.0), zero = vec4(0.0);
    vec4 rest, slope = one;
    switch (act) {
    case AD_ACTIVATION_RELU: return mix(zero, one, greaterThan(from, zero));
    case AD_ACTIVATION_LEAKY: return mix(vec4(parameter), one, greaterThan(from, zero));
    case AD_ACTIVATION_RELU6:
        return mix(zero, mix(one, zero, greaterThanEqual(from, vec4(6.0))), greaterThan(from, zero));
    case AD_ACTIVATION_SIGMOID: return from * (1.0 - from);
    case AD_ACTIVATION_HARD_SIGMOID:
        return mix(zero, mix(vec4(1.0 / 6.0), zero, greaterThanEqual(from, one)), greaterThan(from, zero));
    case AD_ACTIVATION_SILU:
        slope = act_sigmoid(from, rest);
        slope += from * (slope * rest);
        break;
    case AD_ACTIVATION_HARD_SWISH:
        slope = mix(from * (1.0 / 3.0) + 0.5, zero, lessThanEqual(from, vec4(-3.0)));
        slope = mix(slope, one, greaterThanEqual(from, vec4(3.0)));
        break;
    case AD_ACTIVATION_GELU: {
        const vec4 x = clamp(from, -15.0, 15.0);
        slope = act_normal(x) + x * (0.398942280 * exp(-0.5 * x * x));
        break;
    }
    case AD_ACTIVATION_GELU_TANH: {
        const vec4 x = clamp(from, -11.0, 11.0);
        slope = act_sigmoid(act_gelu_argument(x), rest);
        slope += slope * rest * (x * (1.59576912 * (1.0 + 0.134145 * x * x)));
        break;
    }
    }
    return act_keep_nan(slope, from);
}
