/* A factor for each picture and channel, which the network computes itself: squeeze-and-excite. */
#include "compile/layers/layers.h"

static void channel_scale_forward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const int y = ad_pass_output(tape, pass, number);
    ad_tape_op(tape, ad_pass_segment(tape, pass, number), AD_OP_CHANNEL_SCALE, ad_geometry_node(node, pass->n),
               AD_OPERANDS(pass->y[node->input], pass->y[node->gate], y));
}

static void channel_scale_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags = 0, fresh = 0; /* only this node reads the factors */
    int dx = -1, ds = -1;
    if (tape->live[node->input]) dx = ad_pass_gradient(tape, pass, node->input, &flags);
    if (tape->live[node->gate]) ds = ad_pass_gradient(tape, pass, node->gate, &fresh);
    if (dx < 0 && ds < 0) return;
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_CHANNEL_SCALE_BACK, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], pass->y[node->gate], pass->dy[number], dx, ds));
    op->flags = flags;
}

const ad_layer ad_layer_channel_scale = {.forward = channel_scale_forward, .backward = channel_scale_backward};
