/* Low-rank adapters on kernels (net/lowrank.h): products of matrices (LINEAR), norms and scales of kernels. */
#include "compile/layers/layers.h"

/* ad_tape_made: views, made in the init segment, and what a segment scales to each gain. */
enum {
    A = AD_CONV_LOWRANK,
    B,
    DA,
    DB,
    GAIN,
    DGAIN = GAIN + AD_LOWRANK_GAINS,
    UNSCALED = DGAIN + AD_LOWRANK_GAINS,
    NORMS = UNSCALED + AD_LOWRANK_GAINS,
    END = NORMS + AD_LOWRANK_GAINS
};
_Static_assert((int)END <= (int)AD_MADE_SLOTS, "a node has too few slots");

static size_t gain_count(const ad_node *node, int gain) { return (size_t)(gain ? node->c : node->o); }

static int *view_of(ad_tape *tape, int number, int slot) { return ad_tape_made(tape, AD_SEGMENT_INIT, number, slot); }

adatom_status ad_weights_check(const ad_tape *tape) {
    const ad_build_params *p = tape->params;
    const unsigned weights = 1u << AD_ROLE_ATOMS | 1u << AD_ROLE_COEFFICIENTS | 1u << AD_ROLE_ORDINARY;
    if (p->lowrank.kind == AD_LOWRANK_NONE) return ADATOM_OK;
    if (p->lowrank.rank < 1 || p->lowrank.rank > AD_LOWRANK_MOST)
        return ad_fail(tape->ctx, ADATOM_USAGE, "the rank of an adapter is %d; it must be 1 to %d",
                       (int)p->lowrank.rank, AD_LOWRANK_MOST);
    if (p->adapt & weights)
        return ad_fail(
            tape->ctx, ADATOM_USAGE,
            "a low-rank adapter adds to kernels that stay as they are; their atoms or weights cannot adapt too");
    if (p->path != AD_PATH_AUTO && p->path != AD_PATH_COMPOSED)
        return ad_fail(tape->ctx, ADATOM_USAGE,
                       "a low-rank adapter adds to composed kernels; no other way of computing them can be asked for");
    for (int i = 0; i < tape->net->node_count; i++)
        if (ad_way_lowrank(tape, i)) return ADATOM_OK;
    return ad_fail(tape->ctx, ADATOM_USAGE,
                   "a low-rank adapter needs a convolution larger than 1x1; this network has none");
}

/* First all A and B, then all gains: weight decay pulls at the former only. */
size_t ad_weights_layout(ad_tape *tape, size_t end) {
    const ad_lowrank *how = &tape->params->lowrank;
    ad_built *out = tape->built;
    out->lowrank_offset = out->gains_offset = end;
    if (how->kind == AD_LOWRANK_NONE || tape->status != ADATOM_OK) return end;
    out->lowrank = ad_calloc(tape->ctx, (size_t)tape->net->node_count, sizeof *out->lowrank);
    if (!out->lowrank) {
        ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        return end;
    }
    for (int i = 0; i < tape->net->node_count; i++) {
        const ad_node *node = &tape->net->nodes[i];
        if (!ad_way_lowrank(tape, i)) continue;
        ad_lowrank_layer *layer = &out->lowrank[out->lowrank_count++];
        *layer = (ad_lowrank_layer){.node = i, .a = end};
        layer->b = layer->a + ad_tape_round(ad_lowrank_a_count(node, how->rank));
        end = layer->b + ad_tape_round((size_t)node->o * (size_t)how->rank);
        out->adapted_logical += (size_t)ad_lowrank_parameters(node, how);
    }
    out->gains_offset = end;
    for (int l = 0; l < out->lowrank_count; l++)
        for (int gain = 0; gain < ad_lowrank_gains(how->kind); gain++) {
            out->lowrank[l].gain[gain] = end;
            end += ad_tape_round(gain_count(&tape->net->nodes[out->lowrank[l].node], gain));
        }
    return end;
}

/* An operation on kernels [k*k][c][o]; axis: of the channels that are scaled. */
static ad_op *kernel_op(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, int number, int axis,
                        ad_operands operands) {
    ad_op *op = ad_tape_op(tape, segment, kind, ad_geometry_node(&tape->net->nodes[number], 1), operands);
    op->i[0] = axis;
    return op;
}

static void begin_gain(ad_tape *tape, const ad_lowrank_layer *layer, int gain, int w0) {
    const ad_built *out = tape->built;
    const size_t at = layer->gain[gain], count = gain_count(&tape->net->nodes[layer->node], gain);
    const int view = ad_tape_view(tape, out->adapted, "gain", at, count);
    *view_of(tape, layer->node, GAIN + gain) = view;
    if (out->gradient >= 0)
        *view_of(tape, layer->node, DGAIN + gain) = ad_tape_view(tape, out->gradient, "gain gradient", at, count);
    kernel_op(tape, AD_SEGMENT_INIT, AD_OP_WEIGHT_NORM, layer->node, gain, AD_OPERANDS(w0, view));
}

void ad_weights_begin(ad_tape *tape) {
    const ad_lowrank *how = &tape->params->lowrank;
    const ad_built *out = tape->built;
    for (int l = 0; l < out->lowrank_count && tape->status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &out->lowrank[l];
        const ad_node *node = &tape->net->nodes[layer->node];
        const size_t a = ad_lowrank_a_count(node, how->rank), b = (size_t)node->o * (size_t)how->rank;
        *view_of(tape, layer->node, A) = ad_tape_view(tape, out->adapted, "adapter A", layer->a, a);
        *view_of(tape, layer->node, B) = ad_tape_view(tape, out->adapted, "adapter B", layer->b, b);
        if (out->gradient >= 0) {
            *view_of(tape, layer->node, DA) = ad_tape_view(tape, out->gradient, "adapter A gradient", layer->a, a);
            *view_of(tape, layer->node, DB) = ad_tape_view(tape, out->gradient, "adapter B gradient", layer->b, b);
        }
        const int w0 = ad_compose_kernel(tape, AD_SEGMENT_INIT, layer->node);
        for (int gain = 0; gain < ad_lowrank_gains(how->kind); gain++) begin_gain(tape, layer, gain, w0);
    }
}

/* The product of matrices [k*k*c][rank] and [rank][o], or one of its gradients. */
static ad_op *product(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, int number, ad_operands operands) {
    const ad_lowrank *how = &tape->params->lowrank;
    const ad_node *node = &tape->net->nodes[number];
    ad_op *op =
        ad_tape_op(tape, segment, kind, ad_geometry_rows(node->k * node->k * node->c, how->rank, node->o), operands);
    op->f[0] = how->scale;
    return op;
}

/* Returns w with its channels scaled to a gain. */
static int scale_to_gain(ad_tape *tape, ad_segment_id segment, int number, int gain, int w) {
    const ad_node *node = &tape->net->nodes[number];
    const int norms = ad_tape_floats(tape, "norms", gain_count(node, gain));
    const int scaled = ad_tape_floats(tape, "weights", ad_conv_kernel_count(node));
    kernel_op(tape, segment, AD_OP_WEIGHT_NORM, number, gain, AD_OPERANDS(w, norms));
    kernel_op(tape, segment, AD_OP_WEIGHT_SCALE, number, gain,
              AD_OPERANDS(w, *view_of(tape, number, GAIN + gain), norms, scaled));
    *ad_tape_made(tape, segment, number, UNSCALED + gain) = w;
    *ad_tape_made(tape, segment, number, NORMS + gain) = norms;
    return scaled;
}

int ad_weights_kernel(ad_tape *tape, ad_segment_id segment, int number) {
    const int w0 = ad_compose_kernel(tape, segment, number);
    if (!ad_way_lowrank(tape, number)) return w0;
    int *made = ad_tape_made(tape, segment, number, AD_CONV_KERNEL);
    if (*made >= 0) return *made;
    const size_t count = ad_conv_kernel_count(&tape->net->nodes[number]);
    int w = ad_tape_floats(tape, "weights", count);
    ad_elementwise_copy(tape, segment, w0, w, count);
    const ad_operands sum = AD_OPERANDS(*view_of(tape, number, A), *view_of(tape, number, B), -1, w);
    product(tape, segment, AD_OP_LINEAR, number, sum)->flags = AD_ACCUMULATE;
    for (int gain = 0; gain < ad_lowrank_gains(tape->params->lowrank.kind); gain++)
        w = scale_to_gain(tape, segment, number, gain, w);
    return *made = w;
}

void ad_weights_backward(ad_tape *tape, int number, int dw) {
    const ad_segment_id step = AD_SEGMENT_STEP;
    const int a = *view_of(tape, number, A), b = *view_of(tape, number, B);
    for (int gain = ad_lowrank_gains(tape->params->lowrank.kind) - 1; gain >= 0; gain--) {
        const int w = *ad_tape_made(tape, step, number, UNSCALED + gain);
        const int norms = *ad_tape_made(tape, step, number, NORMS + gain);
        kernel_op(
            tape, step, AD_OP_WEIGHT_SCALE_BACK, number, gain,
            AD_OPERANDS(w, *view_of(tape, number, GAIN + gain), norms, dw, dw, *view_of(tape, number, DGAIN + gain)));
    }
    product(tape, step, AD_OP_LINEAR_DX, number, AD_OPERANDS(dw, b, *view_of(tape, number, DA)));
    product(tape, step, AD_OP_LINEAR_DW, number, AD_OPERANDS(a, dw, *view_of(tape, number, DB)));
}
