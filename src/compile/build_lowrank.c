/* Low-rank adapters (net/lowrank.h) in a plan: products of matrices (LINEAR), norms and scales of kernels. */
#include "compile/builder.h"

#include <string.h>

static size_t kernel_count(const ad_node *node) {
    return (size_t)(node->k * node->k) * (size_t)node->c * (size_t)node->o;
}
static size_t gain_count(const ad_node *node, int gain) { return (size_t)(gain ? node->c : node->o); }

bool ad_builder_lowrank(const ad_builder *b, int number) { return b->lowrank[number].a >= 0; }

adatom_status ad_builder_lowrank_check(const ad_builder *b) {
    const ad_build_params *p = b->p;
    const unsigned weights = 1u << AD_ROLE_ATOMS | 1u << AD_ROLE_COEFFICIENTS | 1u << AD_ROLE_ORDINARY;
    if (p->lowrank.kind == AD_LOWRANK_NONE) return ADATOM_OK;
    if (p->lowrank.rank < 1 || p->lowrank.rank > AD_LOWRANK_MOST)
        return ad_fail(b->ctx, ADATOM_USAGE, "the rank of an adapter is %d; it must be 1 to %d", (int)p->lowrank.rank,
                       AD_LOWRANK_MOST);
    if (p->adapt & weights)
        return ad_fail(
            b->ctx, ADATOM_USAGE,
            "a low-rank adapter adds to kernels that stay as they are; their atoms or weights cannot adapt too");
    if (p->path != AD_PATH_AUTO && p->path != AD_PATH_COMPOSED)
        return ad_fail(b->ctx, ADATOM_USAGE,
                       "a low-rank adapter adds to composed kernels; no other way of computing them can be asked for");
    for (int i = 0; i < b->net->node_count; i++)
        if (ad_lowrank_adapts(&b->net->nodes[i])) return ADATOM_OK;
    return ad_fail(b->ctx, ADATOM_USAGE,
                   "a low-rank adapter needs a convolution larger than 1x1; this network has none");
}

/* First all A and B, then all gains: weight decay pulls at the former only. */
size_t ad_builder_lowrank_layout(ad_builder *b, size_t end) {
    const ad_lowrank *how = &b->p->lowrank;
    ad_built *out = b->out;
    out->lowrank_offset = out->gains_offset = end;
    if (how->kind == AD_LOWRANK_NONE) return end;
    out->lowrank = ad_calloc(b->ctx, (size_t)b->net->node_count, sizeof *out->lowrank);
    if (!out->lowrank) {
        b->status = ADATOM_OUT_OF_MEMORY;
        return end;
    }
    for (int i = 0; i < b->net->node_count; i++) {
        const ad_node *node = &b->net->nodes[i];
        if (!ad_lowrank_adapts(node)) continue;
        ad_lowrank_layer *layer = &out->lowrank[out->lowrank_count++];
        *layer = (ad_lowrank_layer){.node = i, .a = end};
        layer->b = layer->a + ad_builder_round(ad_lowrank_a_count(node, how->rank));
        end = layer->b + ad_builder_round((size_t)node->o * (size_t)how->rank);
        out->adapted_logical += ad_lowrank_parameters(node, how);
    }
    out->gains_offset = end;
    for (int l = 0; l < out->lowrank_count; l++)
        for (int gain = 0; gain < ad_lowrank_gains(how->kind); gain++) {
            out->lowrank[l].gain[gain] = end;
            end += ad_builder_round(gain_count(&b->net->nodes[out->lowrank[l].node], gain));
        }
    return end;
}

static ad_op *weight_op(ad_builder *b, ad_segment_id segment, int kind, int number, int axis) {
    ad_op *op = ad_builder_op(b, segment, kind);
    op->g = ad_builder_geometry(&b->net->nodes[number], 1);
    op->i[0] = axis;
    return op;
}

void ad_builder_lowrank_begin(ad_builder *b, int gradient) {
    const ad_lowrank *how = &b->p->lowrank;
    for (int l = 0; l < b->out->lowrank_count && b->status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &b->out->lowrank[l];
        const ad_node *node = &b->net->nodes[layer->node];
        ad_lowrank_node *t = &b->lowrank[layer->node];
        const size_t a = ad_lowrank_a_count(node, how->rank), o = (size_t)node->o * (size_t)how->rank;
        t->a = ad_builder_view(b, b->out->adapted, "adapter A", layer->a, a);
        t->b = ad_builder_view(b, b->out->adapted, "adapter B", layer->b, o);
        if (gradient >= 0) t->da = ad_builder_view(b, gradient, "adapter A gradient", layer->a, a);
        if (gradient >= 0) t->db = ad_builder_view(b, gradient, "adapter B gradient", layer->b, o);
        const int w0 = ad_builder_composed(b, AD_SEGMENT_INIT, layer->node);
        for (int gain = 0; gain < ad_lowrank_gains(how->kind); gain++) {
            t->gain[gain] = ad_builder_view(b, b->out->adapted, "gain", layer->gain[gain], gain_count(node, gain));
            if (gradient >= 0)
                t->dgain[gain] =
                    ad_builder_view(b, gradient, "gain gradient", layer->gain[gain], gain_count(node, gain));
            ad_op *op = weight_op(b, AD_SEGMENT_INIT, AD_OP_WEIGHT_NORM, layer->node, gain);
            op->t[0] = (int16_t)w0, op->t[1] = (int16_t)t->gain[gain];
        }
    }
}

/* The product of matrices [k*k*c][rank] and [rank][o], or one of its gradients. */
static ad_op *product(ad_builder *b, ad_segment_id segment, int kind, const ad_node *node, int t0, int t1, int t2,
                      int t3) {
    const ad_lowrank *how = &b->p->lowrank;
    ad_op *op = ad_builder_op(b, segment, kind);
    op->g = (ad_geometry){.n = node->k * node->k * node->c,
                          .h = 1,
                          .w = 1,
                          .c = how->rank,
                          .oh = 1,
                          .ow = 1,
                          .o = node->o,
                          .k = 1,
                          .stride = 1,
                          .dil = 1};
    op->f[0] = how->scale;
    op->t[0] = (int16_t)t0, op->t[1] = (int16_t)t1, op->t[2] = (int16_t)t2, op->t[3] = (int16_t)t3;
    return op;
}

int ad_builder_kernel(ad_builder *b, ad_segment_id segment, int number) {
    const int w0 = ad_builder_composed(b, segment, number);
    if (!ad_builder_lowrank(b, number)) return w0;
    if (b->composed[segment][number] >= 0) return b->composed[segment][number];
    const ad_node *node = &b->net->nodes[number];
    ad_lowrank_node *t = &b->lowrank[number];
    int w = ad_builder_tensor(b, "weights", AD_F32, kernel_count(node), true);
    ad_op *op = ad_builder_op(b, segment, AD_OP_COPY);
    op->g.c = (int32_t)kernel_count(node);
    op->t[0] = (int16_t)w0, op->t[1] = (int16_t)w;
    product(b, segment, AD_OP_LINEAR, node, t->a, t->b, -1, w)->flags = AD_ACCUMULATE;
    for (int gain = 0; gain < ad_lowrank_gains(b->p->lowrank.kind); gain++) {
        const int norms = ad_builder_tensor(b, "norms", AD_F32, gain_count(node, gain), true);
        const int scaled = ad_builder_tensor(b, "weights", AD_F32, kernel_count(node), true);
        op = weight_op(b, segment, AD_OP_WEIGHT_NORM, number, gain);
        op->t[0] = (int16_t)w, op->t[1] = (int16_t)norms;
        op = weight_op(b, segment, AD_OP_WEIGHT_SCALE, number, gain);
        op->t[0] = (int16_t)w, op->t[1] = (int16_t)t->gain[gain], op->t[2] = (int16_t)norms, op->t[3] = (int16_t)scaled;
        if (segment == AD_SEGMENT_STEP) t->w[gain] = w, t->norms[gain] = norms;
        w = scaled;
    }
    return b->composed[segment][number] = w;
}

void ad_builder_lowrank_backward(ad_builder *b, int number, const ad_geometry *g, int x, int dy) {
    const ad_node *node = &b->net->nodes[number];
    const ad_lowrank_node *t = &b->lowrank[number];
    const int dw = ad_builder_tensor(b, "dw", AD_F32, kernel_count(node), true);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, AD_OP_CONV_DW);
    op->g = *g;
    op->t[0] = (int16_t)x, op->t[1] = (int16_t)dy, op->t[2] = (int16_t)dw;
    for (int gain = ad_lowrank_gains(b->p->lowrank.kind) - 1; gain >= 0; gain--) {
        op = weight_op(b, AD_SEGMENT_STEP, AD_OP_WEIGHT_SCALE_BACK, number, gain);
        op->t[0] = (int16_t)t->w[gain], op->t[1] = (int16_t)t->gain[gain], op->t[2] = (int16_t)t->norms[gain];
        op->t[3] = op->t[4] = (int16_t)dw, op->t[5] = (int16_t)t->dgain[gain];
    }
    product(b, AD_SEGMENT_STEP, AD_OP_LINEAR_DX, node, dw, t->b, t->da, -1);
    product(b, AD_SEGMENT_STEP, AD_OP_LINEAR_DW, node, t->a, dw, t->db, -1);
}
