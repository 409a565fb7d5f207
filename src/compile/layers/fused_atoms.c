/* Atoms first in one operation: the responses of the atoms never reach memory. */
#include "compile/layers/layers.h"

void ad_fused_atoms_forward(ad_tape *tape, ad_pass *pass, int number, int bias) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_segment_id segment = ad_pass_segment(tape, pass, number);
    const int packed = ad_compose_packed(tape, segment, number), psi = ad_tape_param(tape, node->atoms);
    ad_tape_op(tape, segment, AD_OP_FUSED_ATOMS, ad_geometry_node(node, pass->n),
               AD_OPERANDS(pass->y[node->input], packed, psi, bias, pass->y[number]));
}

void ad_fused_atoms_dx(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    const int dx = ad_pass_gradient(tape, pass, node->input, &flags);
    const int packed = ad_compose_packed(tape, pass->live, number), psi = ad_tape_param(tape, node->atoms);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_FUSED_ATOMS_DX, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->dy[number], packed, psi, dx));
    op->flags = flags;
}
