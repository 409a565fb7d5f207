/* Adapters of kernels (net/lowrank.h): low-rank ones are products of matrices (LINEAR), norms and scales of kernels; a
 * 1x1 convolution beside the kernel is a decomposed layer (COMPOSE) of one atom, which is 1 at one tap. */
#include "compile/layers/layers.h"

/* ad_tape_made: views, made in the init segment, and what a segment scales to each gain. */
enum {
    A = AD_CONV_LOWRANK,
    B,
    TAP = B, /* TSA: the atom */
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
    if (p->lowrank.kind != AD_LOWRANK_TSA && (p->lowrank.rank < 1 || p->lowrank.rank > AD_LOWRANK_MOST))
        return ad_fail(tape->ctx, ADATOM_USAGE, "the rank of an adapter is %d; it must be 1 to %d",
                       (int)p->lowrank.rank, AD_LOWRANK_MOST);
    if (p->adapt & weights)
        return ad_fail(
            tape->ctx, ADATOM_USAGE,
            "an adapter of kernels adds to what stays as it is; atoms or weights of the kernels cannot adapt too");
    if (p->path != AD_PATH_AUTO && p->path != AD_PATH_COMPOSED)
        return ad_fail(tape->ctx, ADATOM_USAGE,
                       "an adapter of kernels adds to composed ones; no other way of computing them can be asked for");
    for (int i = 0; i < tape->net->node_count; i++)
        if (ad_way_lowrank(tape, i)) return ADATOM_OK;
    return ad_fail(tape->ctx, ADATOM_USAGE, "the network has no convolution that takes such an adapter");
}

/* First all A and B and the alignment, then all gains: weight decay pulls at the former only. */
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
        layer->b = layer->a + ad_tape_round(ad_lowrank_a_count(node, how));
        end = layer->b + ad_tape_round(ad_lowrank_b_count(node, how));
        out->adapted_logical += (size_t)ad_lowrank_parameters(node, how);
    }
    if (how->kind == AD_LOWRANK_TSA) {
        const size_t features = (size_t)tape->net->features;
        out->alignment_offset = end;
        end += ad_tape_round(features * features);
        out->adapted_logical += features * features;
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

static void begin_part(ad_tape *tape, int number, int part, const char *const names[2], size_t at, size_t count) {
    const ad_built *out = tape->built;
    *view_of(tape, number, A + part) = ad_tape_view(tape, out->adapted, names[0], at, count);
    if (out->gradient >= 0) *view_of(tape, number, DA + part) = ad_tape_view(tape, out->gradient, names[1], at, count);
}

/* 1 at the tap of the 1x1 convolution beside the kernel, else 0. */
static void begin_tap(ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const size_t taps = (size_t)(node->k * node->k);
    const int tap = ad_tape_tensor(tape, AD_PLACE_CONSTANT, "tap", AD_F32, taps);
    ad_op *op = ad_elementwise_zero(tape, AD_SEGMENT_INIT, tap, taps);
    op->tasks = 1;
    op->i[0] = ad_lowrank_tap(node) + 1;
    op->f[1] = 1;
    *view_of(tape, number, TAP) = tap;
}

void ad_weights_begin(ad_tape *tape) {
    static const char *const names[][2] = {{"adapter A", "adapter A gradient"}, {"adapter B", "adapter B gradient"}};
    const ad_lowrank *how = &tape->params->lowrank;
    ad_built *out = tape->built;
    for (int l = 0; l < out->lowrank_count && tape->status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &out->lowrank[l];
        const ad_node *node = &tape->net->nodes[layer->node];
        begin_part(tape, layer->node, 0, names[0], layer->a, ad_lowrank_a_count(node, how));
        if (how->kind == AD_LOWRANK_TSA)
            begin_tap(tape, layer->node);
        else
            begin_part(tape, layer->node, 1, names[1], layer->b, ad_lowrank_b_count(node, how));
        const int w0 = ad_compose_kernel(tape, AD_SEGMENT_INIT, layer->node);
        for (int gain = 0; gain < ad_lowrank_gains(how->kind); gain++) begin_gain(tape, layer, gain, w0);
    }
    if (how->kind == AD_LOWRANK_TSA) {
        const size_t features = (size_t)tape->net->features;
        out->alignment = ad_tape_view(tape, out->adapted, "alignment", out->alignment_offset, features * features);
    }
}

/* The kernel with a convolution of one pixel beside it, or the gradient of the latter. */
static ad_op *beside(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, int number, ad_operands operands) {
    const ad_node *node = &tape->net->nodes[number];
    ad_geometry g = ad_geometry_kernel(node, 1);
    g.m = 1;
    g.group = 0;
    ad_op *op = ad_tape_op(tape, segment, kind, g, operands);
    op->i[0] = node->o;
    return op;
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
    if (tape->params->lowrank.kind == AD_LOWRANK_TSA) {
        beside(tape, segment, AD_OP_COMPOSE, number,
               AD_OPERANDS(*view_of(tape, number, A), *view_of(tape, number, TAP), -1, w, w0));
        return *made = w;
    }
    ad_elementwise_copy(tape, segment, w0, w, count);
    const ad_operands sum = AD_OPERANDS(*view_of(tape, number, A), *view_of(tape, number, B), -1, w);
    product(tape, segment, AD_OP_LINEAR, number, sum)->flags = AD_ACCUMULATE;
    for (int gain = 0; gain < ad_lowrank_gains(tape->params->lowrank.kind); gain++)
        w = scale_to_gain(tape, segment, number, gain, w);
    return *made = w;
}

void ad_weights_backward(ad_tape *tape, const ad_pass *pass, int number, int dw) {
    const ad_segment_id step = pass->live;
    if (tape->params->lowrank.kind == AD_LOWRANK_TSA) {
        ad_op *op = beside(tape, step, AD_OP_COMPOSE_DALPHA, number,
                           AD_OPERANDS(dw, *view_of(tape, number, TAP), *view_of(tape, number, DA)));
        op->i[1] = op->g.c;
        return;
    }
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
