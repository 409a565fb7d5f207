/* What follows the sum v of a convolution where AD_EPILOGUE is defined: act(scale[o]*v + shift[o] + residual).
 * coef [task][2][O] = scale, shift; residual [task][n][oh][ow][O]. Without AD_EPILOGUE nothing is declared, and the
 * kernel is the plain one. */
#ifdef AD_EPILOGUE
#include "lib/activation.glsl"
layout(constant_id = AD_SPEC_ACT) const uint ACT = AD_ACTIVATION_NONE;
layout(constant_id = AD_SPEC_END) const int END = 0; /* AD_END_* */
AD_IN_O(4, coef)
AD_IN_O(5, residual)

/* scale and shift of outputs number o, counted in ad_o. */
ad_o ad_scale(int o) { return coef(ad_task_offset(4, AD_WIDTH) + o); }
ad_o ad_shift(int o) { return coef(ad_task_offset(4, AD_WIDTH) + O / AD_WIDTH + o); }
bool ad_has_coef() { return (END & AD_END_COEF) != 0; }

/* at: the place of the result in a task, in ad_o. */
ad_o ad_finish(ad_o v, ad_o scale, ad_o shift, int at) {
    if (ad_has_coef()) v = scale * v + shift;
    if ((END & AD_END_RESIDUAL) != 0) v += residual(ad_task() * (p.ld / AD_WIDTH) + at);
#if AD_WIDTH == 1
    return act_value(ACT, vec4(v), p.scale).x;
#else
    return act_value(ACT, v, p.scale);
#endif
}

/* The same for outputs number o. */
ad_o ad_finish_at(ad_o v, int o, int at) {
    ad_o scale = ad_o(1), shift = ad_o(0);
    if (ad_has_coef()) {
        scale = ad_scale(o);
        shift = ad_shift(o);
    }
    return ad_finish(v, scale, shift, at);
}
#endif
