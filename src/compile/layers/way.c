/* Which way a decomposed convolution is computed (docs/methods.md, "Three exact ways to compute a layer"). */
#include "compile/layers/layers.h"

bool ad_way_lowrank(const ad_tape *tape, int number) {
    const ad_build_params *p = tape->params;
    return ad_lowrank_adapts(p->lowrank.kind, &tape->net->nodes[number]) && (!p->layers || p->layers[number]);
}

bool ad_way_coefficients_adapt(const ad_tape *tape, const ad_node *node) {
    return ad_tape_adapts(tape, node->coefficients) || ad_tape_adapts(tape, node->kernel);
}

bool ad_way_weights_adapt(const ad_tape *tape, const ad_node *node) {
    return ad_way_coefficients_adapt(tape, node) || ad_tape_adapts(tape, node->atoms);
}

bool ad_way_folds(const ad_tape *tape, int number) {
    const ad_node *conv = &tape->net->nodes[number], *norm = conv + 1;
    /* The shift is bound as a tensor of its own, which the alignment of tensors allows for these widths. The outputs of
     * groups share coefficients, but not scales. */
    return tape->params->bn == AD_BN_FROZEN && conv->m > 0 && conv->group == 0 && conv->groups == 1 &&
           !ad_way_coefficients_adapt(tape, conv) && !ad_way_lowrank(tape, number) &&
           number + 1 < tape->net->node_count && norm->kind == AD_NODE_NORM && norm->input == number &&
           norm->gamma >= 0 && !ad_tape_adapts(tape, norm->gamma) && !ad_tape_adapts(tape, norm->statistics) &&
           (size_t)conv->o * sizeof(float) % AD_TENSOR_ALIGN_BYTES == 0;
}

/* Two stages are possible. A residual layer would need a dense convolution beside them: adding the kernels costs less.
 * Coefficients that adapt have their gradient from the kernel's; those of groups are few, and theirs can be that of one
 * product. */
static bool has_stages(const ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    if (node->m == 0 || node->kernel >= 0 || node->groups > 1 || ad_way_lowrank(tape, number)) return false;
    return !ad_way_coefficients_adapt(tape, node) || (node->group && tape->params->path == AD_PATH_ATOMS_FIRST);
}

/* The work of a step that adapts atoms of groups, in multiply-adds of a dense product: forward, the atoms' gradient
 * and, where something below adapts, dx go through the atoms (or the dense kernel) once each, the product with the
 * coefficients forward and backward; kernels are composed, and dpsi taken from dw, once a task. A multiply-add with
 * atoms shares fewer operands and takes about three times as long (CPU, 64 to 256 channels, groups of 16 and 64). */
static bool sum_first_is_less(const ad_tape *tape, const ad_node *node) {
    enum { ATOMS_COST = 3 };
    const uint64_t passes = tape->live[node->input] ? 3 : 2, n = (uint64_t)tape->params->support;
    const uint64_t compose = (uint64_t)(node->k * node->k) * (uint64_t)node->c * (uint64_t)node->o * (uint64_t)node->m;
    return n * (ATOMS_COST * passes * ad_node_macs_group_sums(node) + 2 * ad_node_macs_group_product(node)) <
           n * passes * ad_node_macs(node) + 2 * compose;
}

/* Multiply-adds of a picture: k^2 c o an output position for the dense convolution, m c (k^2 + o) for FUSED_ATOMS. The
 * stride changes nothing: both run at the output's resolution. */
static bool fused_pays(const ad_tape *tape, const ad_node *node) {
    const double k2 = (double)node->k * node->k, dense = k2 * node->c * node->o,
                 fused = (double)node->m * node->c * (k2 + node->o);
    return tape->params->costs && (double)tape->params->costs->fused_atoms * fused < dense;
}

/* Backward the product of FUSED_ATOMS_DX runs at the input's resolution, of which a dense convolution skips what no tap
 * reaches. */
static bool fused_dx_pays(const ad_tape *tape, const ad_node *node) {
    const double k2 = (double)node->k * node->k, in = (double)node->h * node->w, out = (double)node->oh * node->ow;
    const double dense = out * k2 * node->c * node->o, fused = (double)node->m * node->o * (out * k2 + in * node->c);
    return tape->params->costs && (double)tape->params->costs->fused_atoms_dx * fused < dense;
}

adatom_status ad_way_check(const ad_tape *tape) {
    if (tape->params->path != AD_PATH_COEFFICIENTS_FIRST || tape->net->made_from.group == 0) return ADATOM_OK;
    return ad_fail(tape->ctx, ADATOM_USAGE,
                   "coefficients shared by groups of channels cannot be applied first; atoms-first (their sums first) "
                   "or composed can be asked for");
}

ad_conv_path ad_way_of(const ad_tape *tape, int number, bool wants_gradient) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_conv_path asked = tape->params->path;
    if (!has_stages(tape, number)) return AD_PATH_COMPOSED;
    if (asked != AD_PATH_AUTO) return asked;
    const bool atoms_gradient = wants_gradient && ad_tape_adapts(tape, node->atoms);
    if (node->group) return atoms_gradient && sum_first_is_less(tape, node) ? AD_PATH_ATOMS_FIRST : AD_PATH_COMPOSED;
    if (!atoms_gradient) return fused_pays(tape, node) ? AD_PATH_ATOMS_FIRST : AD_PATH_COMPOSED;
    /* The atoms' gradient profits from the two stages. At the lowest adapted layer u is computed once, whatever the
     * stride; elsewhere the product should run at the smaller of the two resolutions. */
    return node->stride == 1 || !tape->live[node->input] ? AD_PATH_COEFFICIENTS_FIRST : AD_PATH_ATOMS_FIRST;
}

bool ad_way_fused_dx(const ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_conv_path asked = tape->params->path;
    if (!has_stages(tape, number) || node->group || asked == AD_PATH_COMPOSED) return false;
    return asked != AD_PATH_AUTO || fused_dx_pays(tape, node);
}
