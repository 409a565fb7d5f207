#include "compile/builder.h"

/* The tensor that takes the gradient of node's output; *flags says whether it is added to. */
static int target(ad_builder *b, const ad_pass *pass, int number, uint16_t *flags) {
    const ad_node *node = &b->net->nodes[number];
    *flags = b->grad[number] >= 0 ? AD_ACCUMULATE : 0;
    if (b->grad[number] < 0)
        b->grad[number] =
            ad_builder_tensor(b, "gradient", AD_F32, (size_t)pass->n * node->oh * node->ow * node->o, true);
    return b->grad[number];
}

static void weight_gradient(ad_builder *b, int number, const ad_geometry *g, int x, int dy) {
    const ad_node *node = &b->net->nodes[number];
    int dw = ad_builder_adapts(b, node->kernel)
                 ? b->gradient[node->kernel]
                 : ad_builder_tensor(b, "dw", AD_F32, (size_t)node->k * node->k * node->c * node->o, true);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_CONV_DW);
    op->g = *g;
    op->t[0] = (int16_t)x, op->t[1] = (int16_t)dy, op->t[2] = (int16_t)dw;
    if (node->m == 0) return;
    const ad_param *shared = &b->net->params[node->coefficients];
    if (ad_builder_adapts(b, node->atoms)) {
        /* dw speaks of the kernel with the batch norm's scale folded in, and so do the packed coefficients. */
        const bool folds = ad_builder_folds(b, number);
        int alpha = folds ? ad_builder_packed(b, AD_SEGMENT_STEP, number) : ad_builder_param(b, node->coefficients);
        op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_COMPOSE_DPSI);
        op->g = *g;
        op->i[0] = folds ? node->o : shared->o;
        op->t[0] = (int16_t)dw, op->t[1] = (int16_t)alpha, op->t[2] = (int16_t)b->gradient[node->atoms];
    }
    if (ad_builder_adapts(b, node->coefficients)) {
        op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_COMPOSE_DALPHA);
        op->g = *g;
        op->i[0] = shared->o;
        op->i[1] = (shared->c + 3) / 4 * 4; /* rows as they lie, padding included */
        op->flags = b->gradient_written[node->coefficients] ? AD_ACCUMULATE : 0;
        op->t[0] = (int16_t)dw, op->t[1] = (int16_t)ad_builder_param(b, node->atoms);
        op->t[2] = (int16_t)b->gradient[node->coefficients];
        b->gradient_written[node->coefficients] = true;
    }
}

static void input_gradient(ad_builder *b, const ad_pass *pass, int number, int dy) {
    const ad_node *node = &b->net->nodes[number];
    const bool fused = ad_builder_fused_dx(b, number);
    uint16_t flags;
    int dx = target(b, pass, node->input, &flags), r = 0;
    int weights = fused ? ad_builder_packed(b, AD_SEGMENT_STEP, number) : ad_builder_kernel(b, AD_SEGMENT_STEP, number);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, fused ? AD_OP_FUSED_ATOMS_DX : AD_OP_CONV_DX);
    op->g = ad_builder_geometry(node, pass->n);
    op->flags = flags;
    op->t[r++] = (int16_t)dy, op->t[r++] = (int16_t)weights;
    if (fused) op->t[r++] = (int16_t)ad_builder_param(b, node->atoms);
    op->t[r++] = (int16_t)dx;
}

/* Of groups: those of a product. */
static void coefficients_gradient(ad_builder *b, int number, const ad_geometry *rows, int z, int dy) {
    const int coefficients = b->net->nodes[number].coefficients;
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_CONV_DW);
    op->g = *rows;
    op->flags = b->gradient_written[coefficients] ? AD_ACCUMULATE : 0;
    op->t[0] = (int16_t)z, op->t[1] = (int16_t)dy, op->t[2] = (int16_t)b->gradient[coefficients];
    b->gradient_written[coefficients] = true;
}

/* The atoms' gradient takes dz, from where the input's is not far. */
static void atoms_first_backward(ad_builder *b, const ad_pass *pass, int number, int dy) {
    const ad_node *node = &b->net->nodes[number];
    const ad_geometry g = ad_builder_geometry(node, pass->n);
    const ad_geometry rows = ad_builder_product(node, pass->n);
    if (ad_builder_adapts(b, node->coefficients)) coefficients_gradient(b, number, &rows, pass->u[number], dy);
    int packed = ad_builder_packed(b, AD_SEGMENT_STEP, number);
    int dz = ad_builder_tensor(b, "dz", AD_F32, (size_t)rows.n * rows.h * rows.w * rows.c, true);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_CONV_DX);
    op->g = rows;
    op->t[0] = (int16_t)dy, op->t[1] = (int16_t)packed, op->t[2] = (int16_t)dz;
    if (ad_builder_adapts(b, node->atoms)) {
        op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_DEPTH_DPSI);
        op->g = g;
        op->t[0] = (int16_t)pass->y[node->input], op->t[1] = (int16_t)dz, op->t[2] = (int16_t)b->gradient[node->atoms];
    }
    if (!b->dirty[node->input]) return;
    uint16_t flags;
    int dx = target(b, pass, node->input, &flags);
    op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_DEPTH_DX);
    op->g = g;
    op->flags = flags;
    op->t[0] = (int16_t)dz, op->t[1] = (int16_t)ad_builder_param(b, node->atoms), op->t[2] = (int16_t)dx;
}

static void conv_backward(ad_builder *b, const ad_pass *pass, int number, int dy) {
    const ad_node *node = &b->net->nodes[number];
    const ad_geometry g = ad_builder_geometry(node, pass->n);
    const ad_conv_path path = ad_builder_path(b, number, true);
    if (path == AD_PATH_ATOMS_FIRST && (node->group || ad_builder_adapts(b, node->atoms))) {
        atoms_first_backward(b, pass, number, dy);
        return;
    }
    if (path == AD_PATH_COEFFICIENTS_FIRST && ad_builder_adapts(b, node->atoms)) {
        ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_ATOMS_DPSI);
        op->g = g;
        op->t[0] = (int16_t)pass->u[number], op->t[1] = (int16_t)dy, op->t[2] = (int16_t)b->gradient[node->atoms];
    } else if (path == AD_PATH_COMPOSED) {
        if (ad_builder_weights_adapt(b, node)) weight_gradient(b, number, &g, pass->y[node->input], dy);
        if (ad_builder_lowrank(b, number)) ad_builder_lowrank_backward(b, number, &g, pass->y[node->input], dy);
    }
    if (b->dirty[node->input]) input_gradient(b, pass, number, dy);
}

/* The operation `kind` of a norm, or of a norm computed with its pool: `pooled_kind`, which has the role winner after
 * y. */
static ad_op *activated(ad_builder *b, const ad_pass *pass, int number, int kind, int pooled_kind) {
    const int pool = ad_builder_pooled(b, number);
    const ad_node *node = &b->net->nodes[number];
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, pool < 0 ? kind : pooled_kind);
    op->g = ad_builder_geometry(pool < 0 ? node : &b->net->nodes[pool], pass->n);
    op->i[0] = node->act;
    op->f[0] = node->slope;
    return op;
}

static void norm_backward(ad_builder *b, const ad_pass *pass, int number, int dy) {
    const ad_node *node = &b->net->nodes[number];
    bool adapts = ad_builder_adapts(b, node->gamma), below = b->dirty[node->input];
    bool beside = node->residual >= 0 && b->dirty[node->residual];
    int x = pass->y[node->input], y = pass->y[number], winner = pass->winner[number], back = pass->coef[number];
    if (adapts || (pass->batch_statistics && below)) {
        int sums = ad_builder_tensor(b, "sums", AD_F32, 2 * (size_t)node->c, true), r = 0;
        ad_op *op = activated(b, pass, number, AD_OP_AFFINE_SUMS, AD_OP_AFFINE_POOL_SUMS);
        op->t[r++] = (int16_t)x, op->t[r++] = (int16_t)y;
        if (winner >= 0) op->t[r++] = (int16_t)winner;
        op->t[r++] = (int16_t)dy, op->t[r++] = (int16_t)pass->stats[number], op->t[r++] = (int16_t)sums;
        if (below) back = ad_builder_tensor(b, "back", AD_F32, 3 * (size_t)node->c, true);
        op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_BN_BACK);
        op->g = ad_builder_geometry(node, pass->n);
        op->i[0] = pass->batch_statistics;
        op->f[0] = 1e-5f;
        op->t[0] = (int16_t)sums, op->t[1] = (int16_t)pass->stats[number],
        op->t[2] = (int16_t)ad_builder_param(b, node->gamma);
        op->t[3] = (int16_t)(adapts ? b->gradient[node->gamma] : -1);
        op->t[4] = (int16_t)(adapts ? b->gradient[node->beta] : -1);
        op->t[5] = (int16_t)(below ? back : -1);
    }
    if (!below && !beside) return;
    uint16_t into_below = 0, into_beside = 0;
    int dx = below ? target(b, pass, node->input, &into_below) : -1;
    int dresidual = beside ? target(b, pass, node->residual, &into_beside) : -1, r = 0;
    ad_op *op = activated(b, pass, number, AD_OP_AFFINE_BACK, AD_OP_AFFINE_POOL_BACK);
    op->flags = into_beside; /* dx is always fresh: only this norm reads its convolution */
    op->t[r++] = (int16_t)y;
    if (winner >= 0) op->t[r++] = (int16_t)winner;
    op->t[r++] = (int16_t)dy, op->t[r++] = (int16_t)(below ? back : -1);
    op->t[r++] = (int16_t)(pass->batch_statistics && below ? x : -1);
    op->t[r++] = (int16_t)dx, op->t[r++] = (int16_t)dresidual;
}

static void pool_backward(ad_builder *b, const ad_pass *pass, int number, int dy) {
    const ad_node *node = &b->net->nodes[number];
    if (!b->dirty[node->input]) return;
    if (ad_builder_pooled(b, node->input) == number) {
        b->grad[node->input] = dy; /* the norm takes it from here */
        return;
    }
    uint16_t flags;
    int dx = target(b, pass, node->input, &flags);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_POOL_BACK);
    op->g = ad_builder_geometry(node, pass->n);
    op->i[0] = node->average;
    op->flags = flags;
    op->t[0] = (int16_t)pass->y[node->input], op->t[1] = (int16_t)dy, op->t[2] = (int16_t)dx;
}

void ad_builder_backward(ad_builder *b, const ad_pass *pass) {
    for (int i = b->net->node_count - 1; i > 0 && b->status == ADATOM_OK; i--) {
        int dy = b->grad[i];
        if (!b->dirty[i] || dy < 0) continue;
        switch (b->net->nodes[i].kind) {
        case AD_NODE_CONV: conv_backward(b, pass, i, dy); break;
        case AD_NODE_NORM: norm_backward(b, pass, i, dy); break;
        case AD_NODE_POOL: pool_backward(b, pass, i, dy); break;
        case AD_NODE_INPUT: break;
        }
    }
}
