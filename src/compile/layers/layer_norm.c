/* Layer norm over the channels of each position. */
#include "compile/layers/layers.h"

enum { STATS /* kept: mean and inverse deviation of each position */ };

static bool layer_norm_adapts(const ad_tape *tape, int number) {
    return ad_tape_adapts(tape, tape->net->nodes[number].gamma);
}

static void layer_norm_forward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const int y = ad_pass_output(tape, pass, number);
    int stats = -1; /* for the way back only */
    if (pass->wants_gradient && tape->live[number])
        stats = ad_tape_floats(tape, "stats", 2 * (size_t)pass->n * (size_t)node->h * (size_t)node->w);
    ad_op *op = ad_tape_op(
        tape, ad_pass_segment(tape, pass, number), AD_OP_LAYER_NORM, ad_geometry_node(node, pass->n),
        AD_OPERANDS(pass->y[node->input], ad_tape_param(tape, node->gamma), ad_tape_param(tape, node->beta), y, stats));
    op->f[0] = node->epsilon;
    pass->kept[number][STATS] = stats;
}

static void layer_norm_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_geometry g = ad_geometry_node(node, pass->n);
    const int x = pass->y[node->input], stats = pass->kept[number][STATS], dy = pass->dy[number];
    const size_t c = (size_t)node->c;
    if (ad_tape_adapts(tape, node->gamma)) {
        const int sums = ad_tape_floats(tape, "sums", 2 * c);
        ad_tape_op(tape, pass->live, AD_OP_LAYER_NORM_SUMS, g, AD_OPERANDS(x, stats, dy, sums));
        ad_elementwise_copy(tape, pass->live, sums, ad_tape_gradient(tape, node->beta, NULL), c);
        ad_elementwise_copy_from(tape, pass->live, sums, c, ad_tape_gradient(tape, node->gamma, NULL), c);
    }
    if (!tape->live[node->input]) return;
    uint16_t flags;
    const int dx = ad_pass_gradient(tape, pass, node->input, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LAYER_NORM_BACK, g,
                           AD_OPERANDS(x, ad_tape_param(tape, node->gamma), stats, dy, dx));
    op->flags = flags;
}

const ad_layer ad_layer_layer_norm = {
    .adapts = layer_norm_adapts, .forward = layer_norm_forward, .backward = layer_norm_backward};
