/* Which way a decomposed convolution is computed. */
#include "compile/builder.h"

/* Two stages are possible. A residual layer would need a dense convolution beside them: adding the kernels costs less.
 * Coefficients that adapt have their gradient from the kernel's; those of groups are few, and theirs can be that of one
 * product. */
static bool has_stages(const ad_builder *b, int number) {
    const ad_node *node = &b->net->nodes[number];
    if (node->m == 0 || node->kernel >= 0 || ad_builder_lowrank(b, number)) return false;
    return !ad_builder_coefficients_adapt(b, node) || (node->group && b->p->path == AD_PATH_ATOMS_FIRST);
}

/* The work of a step that adapts atoms of groups, in multiply-adds of a dense product: forward, the atoms' gradient
 * and, where something below adapts, dx go through the atoms (or the dense kernel) once each, the product with the
 * coefficients forward and backward; kernels are composed, and dpsi taken from dw, once a task. A multiply-add with
 * atoms shares fewer operands and takes about three times as long (CPU, 64 to 256 channels, groups of 16 and 64). */
static bool sum_first_is_less(const ad_builder *b, const ad_node *node) {
    enum { ATOMS_COST = 3 };
    const uint64_t passes = b->dirty[node->input] ? 3 : 2, n = (uint64_t)b->p->support;
    const uint64_t compose = (uint64_t)(node->k * node->k) * (uint64_t)node->c * (uint64_t)node->o * (uint64_t)node->m;
    return n * (ATOMS_COST * passes * ad_node_macs_group_sums(node) + 2 * ad_node_macs_group_product(node)) <
           n * passes * ad_node_macs(node) + 2 * compose;
}

/* Multiply-adds of a picture: k^2 c o an output position for the dense convolution, m c (k^2 + o) for FUSED_ATOMS. The
 * stride changes nothing: both run at the output's resolution. */
static bool fused_pays(const ad_builder *b, const ad_node *node) {
    const double k2 = (double)node->k * node->k, dense = k2 * node->c * node->o,
                 fused = (double)node->m * node->c * (k2 + node->o);
    return b->p->costs && (double)b->p->costs->fused_atoms * fused < dense;
}

/* Backward the product of FUSED_ATOMS_DX runs at the input's resolution, of which a dense convolution skips what no tap
 * reaches. */
static bool fused_dx_pays(const ad_builder *b, const ad_node *node) {
    const double k2 = (double)node->k * node->k, in = (double)node->h * node->w, out = (double)node->oh * node->ow;
    const double dense = out * k2 * node->c * node->o, fused = (double)node->m * node->o * (out * k2 + in * node->c);
    return b->p->costs && (double)b->p->costs->fused_atoms_dx * fused < dense;
}

adatom_status ad_builder_path_check(const ad_builder *b) {
    if (b->p->path != AD_PATH_COEFFICIENTS_FIRST || b->net->made_from.group == 0) return ADATOM_OK;
    return ad_fail(b->ctx, ADATOM_USAGE,
                   "coefficients shared by groups of channels cannot be applied first; atoms-first (their sums first) "
                   "or composed can be "
                   "asked for");
}

ad_conv_path ad_builder_path(const ad_builder *b, int number, bool wants_gradient) {
    const ad_node *node = &b->net->nodes[number];
    if (!has_stages(b, number)) return AD_PATH_COMPOSED;
    if (b->p->path != AD_PATH_AUTO) return b->p->path;
    const bool atoms_gradient = wants_gradient && ad_builder_adapts(b, node->atoms);
    if (node->group) return atoms_gradient && sum_first_is_less(b, node) ? AD_PATH_ATOMS_FIRST : AD_PATH_COMPOSED;
    if (!atoms_gradient) return fused_pays(b, node) ? AD_PATH_ATOMS_FIRST : AD_PATH_COMPOSED;
    /* The atoms' gradient profits from the two stages. At the lowest adapted layer u is computed once, whatever the
     * stride; elsewhere the product should run at the smaller of the two resolutions. */
    return node->stride == 1 || !b->dirty[node->input] ? AD_PATH_COEFFICIENTS_FIRST : AD_PATH_ATOMS_FIRST;
}

bool ad_builder_fused_dx(const ad_builder *b, int number) {
    const ad_node *node = &b->net->nodes[number];
    if (!has_stages(b, number) || node->group || b->p->path == AD_PATH_COMPOSED) return false;
    return b->p->path != AD_PATH_AUTO || fused_dx_pays(b, node);
}
