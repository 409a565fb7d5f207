/* Kernels composed of coefficients and atoms, and the coefficients as the products of the other ways want them. A norm
 * that folds into the convolution has its scale in both. */
#include "compile/layers/layers.h"

static int kernel_scale(ad_tape *tape, int number) {
    return ad_way_folds(tape, number) ? ad_norm_folded(tape, number + 1) : -1;
}

/* Numbers of an input channel from one atom to the next: coefficients may be shared with a larger layer. */
static int32_t stride_of(const ad_tape *tape, const ad_node *node) { return tape->net->params[node->coefficients].o; }

/* A tensor that depends on what adapts or not: made in this segment for each task, or once per program for all. */
static int per_task(ad_tape *tape, bool tasked, const char *name, size_t count) {
    return ad_tape_tensor(tape, tasked ? AD_PLACE_WORK : AD_PLACE_CONSTANT, name, AD_F32, count);
}

int ad_compose_kernel(ad_tape *tape, ad_segment_id segment, int number) {
    const ad_node *node = &tape->net->nodes[number];
    if (node->m == 0) return ad_tape_param(tape, node->kernel);
    const bool tasked = ad_way_weights_adapt(tape, node);
    if (!tasked) segment = AD_SEGMENT_INIT;
    int *made = ad_tape_made(tape, segment, number, AD_CONV_KERNEL);
    if (*made >= 0) return *made;
    const int scale = kernel_scale(tape, number), base = node->kernel >= 0 ? ad_tape_param(tape, node->kernel) : -1;
    const int w = per_task(tape, tasked, "weights", ad_conv_kernel_count(node));
    ad_op *op = ad_tape_op(
        tape, segment, AD_OP_COMPOSE, ad_geometry_kernel(node, 1),
        AD_OPERANDS(ad_tape_param(tape, node->coefficients), ad_tape_param(tape, node->atoms), scale, w, base));
    if (!tasked) op->tasks = 1;
    op->i[0] = stride_of(tape, node);
    return *made = w;
}

int ad_compose_packed(ad_tape *tape, ad_segment_id segment, int number) {
    const ad_node *node = &tape->net->nodes[number];
    if (node->group) return ad_tape_param(tape, node->coefficients); /* no slice, and packed as they are */
    const bool tasked = ad_way_coefficients_adapt(tape, node);
    if (!tasked) segment = AD_SEGMENT_INIT;
    int *made = ad_tape_made(tape, segment, number, AD_CONV_PACKED);
    if (*made >= 0) return *made;
    const int scale = kernel_scale(tape, number);
    const int packed = per_task(tape, tasked, "coefficients", (size_t)node->c * (size_t)node->m * (size_t)node->o);
    ad_op *op = ad_tape_op(tape, segment, AD_OP_PACK, ad_geometry_kernel(node, 1),
                           AD_OPERANDS(ad_tape_param(tape, node->coefficients), scale, packed));
    if (!tasked) op->tasks = 1;
    op->i[0] = stride_of(tape, node);
    return *made = packed;
}

static void atoms_gradient(ad_tape *tape, const ad_pass *pass, int number, int dw) {
    const ad_node *node = &tape->net->nodes[number];
    /* dw speaks of the kernel with the norm's scale folded in, and so do the packed coefficients. */
    const bool folds = ad_way_folds(tape, number);
    const int alpha = folds ? ad_compose_packed(tape, pass->live, number) : ad_tape_param(tape, node->coefficients);
    uint16_t flags;
    const int dpsi = ad_tape_gradient(tape, node->atoms, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_COMPOSE_DPSI, ad_geometry_kernel(node, pass->n),
                           AD_OPERANDS(dw, alpha, dpsi));
    op->i[0] = folds ? node->o : stride_of(tape, node);
    op->flags = flags;
}

static void coefficients_gradient(ad_tape *tape, const ad_pass *pass, int number, int dw) {
    const ad_node *node = &tape->net->nodes[number];
    uint16_t flags;
    const int dalpha = ad_tape_gradient(tape, node->coefficients, &flags);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_COMPOSE_DALPHA, ad_geometry_kernel(node, pass->n),
                           AD_OPERANDS(dw, ad_tape_param(tape, node->atoms), dalpha));
    op->i[0] = stride_of(tape, node);
    /* Rows as they lie, padding included. */
    op->i[1] = ad_node_depthwise(node) ? 1 : (tape->net->params[node->coefficients].c + 3) / 4 * 4;
    op->flags = flags;
}

void ad_compose_backward(ad_tape *tape, const ad_pass *pass, int number, int dw) {
    const ad_node *node = &tape->net->nodes[number];
    if (ad_tape_adapts(tape, node->atoms)) atoms_gradient(tape, pass, number, dw);
    if (ad_tape_adapts(tape, node->coefficients)) coefficients_gradient(tape, pass, number, dw);
}
