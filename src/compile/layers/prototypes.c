/* Prototypes [Snell et al., NeurIPS 2017]: pictures are classified by the class means of the support pictures that are
 * in the same pass, and the gradient goes through both. Squared distances are products with twice the means, less what
 * all classes have in common; cosines are products of unit vectors times a scale that is learned. */
#include "compile/layers/layers.h"

static const float squared_distance = 2; /* f[0] of MEAN_HEAD */

static bool is_cosine(const ad_tape *tape) { return tape->params->outer.cosine; }
static ad_geometry rows_of(const ad_tape *tape, int n) {
    return ad_geometry_rows(n, tape->net->features, tape->params->way);
}
static size_t weight_count(const ad_tape *tape) { return (size_t)tape->params->way * (size_t)tape->net->features; }

ad_head_pass ad_prototypes_forward(ad_tape *tape, const ad_pass *pass, int labels) {
    static const char *const of_features[] = {"unit features", "feature norms"};
    static const char *const of_means[] = {"unit means", "mean norms"};
    const int features = ad_pass_features(tape, pass), way = tape->params->way;
    ad_head_pass head = {.x = features, .x_inverse = -1, .w_inverse = -1};
    head.means = ad_tape_floats(tape, "class means", weight_count(tape));
    ad_tape_op(tape, pass->live, AD_OP_CLASS_MEAN, rows_of(tape, pass->n), AD_OPERANDS(features, labels, head.means));
    if (is_cosine(tape)) {
        head.x = ad_head_unit_rows(tape, pass->live, features, pass->n, of_features, &head.x_inverse);
        head.means = ad_head_unit_rows(tape, pass->live, head.means, way, of_means, &head.w_inverse);
    }
    head.weights = ad_tape_floats(tape, "prototypes", weight_count(tape));
    const int bias = is_cosine(tape) ? -1 : ad_tape_floats(tape, "prototype bias", (size_t)way);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_MEAN_HEAD, rows_of(tape, pass->n),
                           AD_OPERANDS(head.means, head.weights, bias, tape->built->scale));
    op->f[0] = is_cosine(tape) ? 1 : squared_distance;
    head.logits = ad_tape_floats(tape, "logits", (size_t)pass->n * (size_t)way);
    op = ad_tape_op(tape, pass->live, AD_OP_LINEAR, rows_of(tape, pass->n),
                    AD_OPERANDS(head.x, head.weights, bias, head.logits));
    op->f[0] = 1;
    return head;
}

/* Returns the gradient of the class means. */
static int means_backward(ad_tape *tape, const ad_pass *pass, const ad_head_pass *head, int dlogits) {
    const int f = tape->net->features, way = tape->params->way;
    const int dweights = ad_tape_floats(tape, "prototype gradient", weight_count(tape));
    const int dbias = is_cosine(tape) ? -1 : ad_tape_floats(tape, "prototype bias gradient", (size_t)way);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LINEAR_DW, rows_of(tape, pass->n),
                           AD_OPERANDS(head->x, dlogits, dweights, dbias));
    op->f[0] = 1;
    const ad_built *out = tape->built;
    const int dscale =
        is_cosine(tape) ? ad_tape_view(tape, out->outer_gradient, "scale gradient", out->scale_offset, 1) : -1;
    const int dmeans = ad_tape_floats(tape, "mean gradient", weight_count(tape));
    op = ad_tape_op(tape, pass->live, AD_OP_MEAN_HEAD_BACK, rows_of(tape, pass->n),
                    AD_OPERANDS(head->means, dweights, dbias, out->scale, dmeans, dscale));
    op->f[0] = is_cosine(tape) ? 1 : squared_distance;
    if (!is_cosine(tape)) return dmeans;
    const int back = ad_tape_floats(tape, "class mean gradient", weight_count(tape));
    ad_tape_op(tape, pass->live, AD_OP_ROW_NORM_BACK, ad_geometry_rows(way, f, 1),
               AD_OPERANDS(head->means, head->w_inverse, dmeans, back));
    return back;
}

void ad_prototypes_backward(ad_tape *tape, ad_pass *pass, const ad_head_pass *head, int labels, int dlogits) {
    const int last = tape->net->node_count - 1, n = pass->n, f = tape->net->features;
    const size_t count = (size_t)n * (size_t)f;
    const int dmeans = means_backward(tape, pass, head, dlogits);
    int dfeatures = ad_tape_floats(tape, "feature gradient", count);
    ad_op *op =
        ad_tape_op(tape, pass->live, AD_OP_LINEAR_DX, rows_of(tape, n), AD_OPERANDS(dlogits, head->weights, dfeatures));
    op->f[0] = 1;
    if (is_cosine(tape)) {
        const int dx = dfeatures;
        dfeatures = ad_tape_floats(tape, "feature gradient", count);
        ad_tape_op(tape, pass->live, AD_OP_ROW_NORM_BACK, ad_geometry_rows(n, f, 1),
                   AD_OPERANDS(head->x, head->x_inverse, dx, dfeatures));
    }
    op = ad_tape_op(tape, pass->live, AD_OP_CLASS_MEAN_BACK, rows_of(tape, n), AD_OPERANDS(dmeans, labels, dfeatures));
    op->flags = AD_ACCUMULATE;
    pass->dy[last] = dfeatures;
}
