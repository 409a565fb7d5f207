/* Coefficients first: u = x a is a matrix product at the input's resolution, whose result the atoms then filter. While
 * nothing below adapts, x and therefore u are the same at every step (docs/methods.md, "Why adapting atoms is cheap",
 * 2); the atoms' gradient needs no product. */
#include "compile/layers/layers.h"

void ad_atoms_forward(ad_tape *tape, ad_pass *pass, int number, int bias) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_segment_id segment = ad_pass_segment(tape, pass, number);
    const ad_segment_id product = tape->live[node->input] ? segment : pass->frozen;
    const int packed = ad_compose_packed(tape, segment, number);
    const ad_geometry g = ad_geometry_pixels(pass->n, node->h, node->w, node->c, node->m * node->o);
    const int u = ad_tape_tensor(tape, AD_PLACE_WORK, "u", tape->params->half ? AD_F16 : AD_F32,
                                 (size_t)g.n * (size_t)g.h * (size_t)g.w * (size_t)g.o);
    ad_tape_op(tape, product, AD_OP_CONV, g, AD_OPERANDS(pass->y[node->input], packed, -1, u));
    ad_tape_op(tape, segment, AD_OP_ATOMS, ad_geometry_node(node, pass->n),
               AD_OPERANDS(u, ad_tape_param(tape, node->atoms), bias, pass->y[number]));
    pass->kept[number][AD_CONV_RESPONSES] = u;
}

void ad_atoms_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    if (!ad_tape_adapts(tape, node->atoms)) return;
    const int dpsi = ad_tape_gradient(tape, node->atoms, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_ATOMS_DPSI, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->kept[number][AD_CONV_RESPONSES], pass->dy[number], dpsi));
    op->flags = flags;
}
