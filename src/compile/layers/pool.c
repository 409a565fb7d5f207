/* Pooling that is not computed with the norm below it. */
#include "compile/layers/layers.h"

static void pool_forward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const int y = ad_pass_output(tape, pass, number);
    ad_op *op = ad_tape_op(tape, ad_pass_segment(tape, pass, number), AD_OP_POOL, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], y));
    op->i[0] = node->average;
}

static void pool_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const int dy = pass->dy[number];
    uint16_t flags;
    if (!tape->live[node->input]) return;
    if (ad_affine_pool_of(tape, node->input) == number) { /* the norm takes it from here */
        pass->dy[node->input] = dy;
        return;
    }
    const int dx = ad_pass_gradient(tape, pass, node->input, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_POOL_BACK, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], dy, dx));
    op->i[0] = node->average;
    op->flags = flags;
}

const ad_layer ad_layer_pool = {.forward = pool_forward, .backward = pool_backward};
