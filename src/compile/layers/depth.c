/* Atoms first: z, the atoms' responses to each input channel, then y = z a, a matrix product at the output's
 * resolution. With groups of channels z has the sums over the groups; without them the forward pass is fused_atoms.c's.
 */
#include "compile/layers/layers.h"

/* The product as a 1x1 convolution: one row a position, with groups one for each group of outputs. */
static ad_geometry product(const ad_node *node, int n) {
    const int groups = node->group ? node->o / node->group : 1, c = node->group ? node->group : node->c;
    return ad_geometry_pixels(n, node->oh, node->ow * groups, c * node->m, node->o / groups);
}

static size_t responses(const ad_geometry *g) { return (size_t)g->n * (size_t)g->h * (size_t)g->w * (size_t)g->c; }

void ad_depth_forward(ad_tape *tape, ad_pass *pass, int number, int bias) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_segment_id segment = ad_pass_segment(tape, pass, number);
    const ad_geometry g = product(node, pass->n);
    const int packed = ad_compose_packed(tape, segment, number), z = ad_tape_floats(tape, "z", responses(&g));
    ad_tape_op(tape, segment, AD_OP_DEPTH, ad_geometry_node(node, pass->n),
               AD_OPERANDS(pass->y[node->input], ad_tape_param(tape, node->atoms), z));
    ad_tape_op(tape, segment, AD_OP_CONV, g, AD_OPERANDS(z, packed, bias, pass->y[number]));
    pass->kept[number][AD_CONV_RESPONSES] = z;
}

static void coefficients_gradient(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    const int dalpha = ad_tape_gradient(tape, node->coefficients, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_CONV_DW, product(node, pass->n),
                           AD_OPERANDS(pass->kept[number][AD_CONV_RESPONSES], pass->dy[number], dalpha));
    op->flags = flags;
}

static void atoms_gradient(ad_tape *tape, const ad_pass *pass, int number, int dz) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    const int dpsi = ad_tape_gradient(tape, node->atoms, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_DEPTH_DPSI, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], dz, dpsi));
    op->flags = flags;
}

/* The atoms' gradient takes dz, from where the input's is not far. */
void ad_depth_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_geometry g = product(node, pass->n);
    if (ad_tape_adapts(tape, node->coefficients)) coefficients_gradient(tape, pass, number);
    const int packed = ad_compose_packed(tape, pass->live, number), dz = ad_tape_floats(tape, "dz", responses(&g));
    ad_tape_op(tape, pass->live, AD_OP_CONV_DX, g, AD_OPERANDS(pass->dy[number], packed, dz));
    if (ad_tape_adapts(tape, node->atoms)) atoms_gradient(tape, pass, number, dz);
    if (!tape->live[node->input]) return;
    uint16_t flags;
    const int dx = ad_pass_gradient(tape, pass, node->input, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_DEPTH_DX, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(dz, ad_tape_param(tape, node->atoms), dx));
    op->flags = flags;
}
