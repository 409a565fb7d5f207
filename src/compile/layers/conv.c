/* Convolutions, ordinary and decomposed. Ordinary ones, and decomposed ones whose kernel is composed first, are
 * computed here; way.c chooses, and the other ways have files of their own. */
#include "compile/layers/layers.h"

static adatom_status conv_check(const ad_tape *tape) {
    const adatom_status status = ad_way_check(tape);
    return status == ADATOM_OK ? ad_weights_check(tape) : status;
}

static bool conv_adapts(const ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    return ad_way_weights_adapt(tape, node) || ad_way_lowrank(tape, number) || ad_tape_adapts(tape, node->bias);
}

static void composed_forward(ad_tape *tape, ad_pass *pass, int number, int bias) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_segment_id segment = ad_pass_segment(tape, pass, number);
    const ad_epilogue after = ad_epilogue_begin(tape, pass, number);
    const int w = ad_weights_kernel(tape, segment, number);
    ad_op *op = ad_tape_op(tape, segment, ad_node_depthwise(node) ? AD_OP_DEPTHWISE : AD_OP_CONV,
                           ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], w, bias, after.y, after.coef, after.residual));
    if (tape->params->fast && op->kind == AD_OP_CONV) op->flags |= AD_FAST;
    if (after.norm >= 0) ad_affine_activation(op, &tape->net->nodes[after.norm]);
}

static void conv_forward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const int bias = ad_way_folds(tape, number) ? ad_norm_bias(tape, number + 1)
                     : node->bias >= 0          ? ad_tape_param(tape, node->bias)
                                                : -1;
    const ad_conv_path way = ad_way_of(tape, number, pass->wants_gradient);
    if (way == AD_PATH_COMPOSED) {
        composed_forward(tape, pass, number, bias);
        return;
    }
    ad_pass_output(tape, pass, number);
    if (way == AD_PATH_COEFFICIENTS_FIRST)
        ad_atoms_forward(tape, pass, number, bias);
    else if (node->group)
        ad_depth_forward(tape, pass, number, bias);
    else
        ad_fused_atoms_forward(tape, pass, number, bias);
}

/* dw: the gradient of the kernel. */
static void kernel_gradient(ad_tape *tape, const ad_pass *pass, int number, int dw, uint16_t flags) {
    const ad_node *node = &tape->net->nodes[number];
    ad_op *op = ad_tape_op(tape, pass->live, ad_node_depthwise(node) ? AD_OP_DEPTHWISE_DW : AD_OP_CONV_DW,
                           ad_geometry_node(node, pass->n), AD_OPERANDS(pass->y[node->input], pass->dy[number], dw));
    op->flags = flags;
    if (tape->params->fast && op->kind == AD_OP_CONV_DW) op->flags |= AD_FAST;
}

static int new_kernel_gradient(ad_tape *tape, const ad_pass *pass, int number) {
    const int dw = ad_tape_floats(tape, "dw", ad_conv_kernel_count(&tape->net->nodes[number]));
    kernel_gradient(tape, pass, number, dw, 0);
    return dw;
}

/* What adapts of the kernel as it is applied: the kernel itself, what it is composed of, or its adapter. */
static void composed_backward(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    if (ad_tape_adapts(tape, node->kernel)) {
        const int dw = ad_tape_gradient(tape, node->kernel, NULL);
        kernel_gradient(tape, pass, number, dw, 0);
        if (node->m > 0) ad_compose_backward(tape, pass, number, dw);
    } else if (ad_way_weights_adapt(tape, node)) {
        ad_compose_backward(tape, pass, number, new_kernel_gradient(tape, pass, number));
    } else if (ad_way_lowrank(tape, number)) {
        ad_weights_backward(tape, pass, number, new_kernel_gradient(tape, pass, number));
    }
}

static void conv_dx(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    const int dx = ad_pass_gradient(tape, pass, node->input, &flags);
    const int w = ad_weights_kernel(tape, pass->live, number);
    ad_op *op = ad_tape_op(tape, pass->live, ad_node_depthwise(node) ? AD_OP_DEPTHWISE_DX : AD_OP_CONV_DX,
                           ad_geometry_node(node, pass->n), AD_OPERANDS(pass->dy[number], w, dx));
    op->flags = flags;
    if (tape->params->fast && op->kind == AD_OP_CONV_DX) op->flags |= AD_FAST;
}

static void bias_gradient(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    ad_tape_op(tape, pass->live, AD_OP_CONV_DBIAS, ad_geometry_node(node, pass->n),
               AD_OPERANDS(pass->dy[number], ad_tape_gradient(tape, node->bias, NULL)));
}

static void conv_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_conv_path way = ad_way_of(tape, number, true);
    if (ad_tape_adapts(tape, node->bias)) bias_gradient(tape, pass, number);
    if (way == AD_PATH_ATOMS_FIRST && (node->group || ad_tape_adapts(tape, node->atoms))) {
        ad_depth_backward(tape, pass, number);
        return;
    }
    if (way == AD_PATH_COEFFICIENTS_FIRST) ad_atoms_backward(tape, pass, number);
    if (way == AD_PATH_COMPOSED) composed_backward(tape, pass, number);
    if (!tape->live[node->input]) return;
    if (ad_way_fused_dx(tape, number))
        ad_fused_atoms_dx(tape, pass, number);
    else
        conv_dx(tape, pass, number);
}

const ad_layer ad_layer_conv = {
    .check = conv_check, .adapts = conv_adapts, .forward = conv_forward, .backward = conv_backward};
