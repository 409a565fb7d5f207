/* The heads: linear and cosine ones, which train, and centroids, which are means of features; the alignment of features
 * before them; and the loss. */
#include "compile/layers/layers.h"

static const float nearest_mean = 2; /* f[0] of MEAN_HEAD for the nearest mean under squared Euclidean distance */

static bool is_centroid(const ad_tape *tape) {
    return tape->params->head == AD_HEAD_CENTROID || tape->params->head == AD_HEAD_CENTROID_COSINE;
}

static bool is_cosine(const ad_tape *tape) {
    return tape->params->head == AD_HEAD_COSINE || tape->params->head == AD_HEAD_CENTROID_COSINE;
}

bool ad_head_trains(const ad_tape *tape) {
    return tape->params->head == AD_HEAD_LINEAR || tape->params->head == AD_HEAD_COSINE;
}

/* Distances of centroids are not scaled: their order alone matters. */
static float logit_scale(const ad_tape *tape) {
    return tape->params->head == AD_HEAD_COSINE ? tape->params->cosine_scale : 1.0f;
}

static size_t weight_count(const ad_tape *tape) { return (size_t)tape->params->way * (size_t)tape->net->features; }

/* ---- in the adapted block: the weights with this plan's classes, then the bias ---------------------------------- */

size_t ad_head_layout(const ad_tape *tape, size_t end) {
    if (!ad_head_trains(tape)) return end;
    return end + ad_tape_round(weight_count(tape)) + ad_tape_round((size_t)tape->params->way);
}

/* The weights of the head in a block that is laid out like the adapted one. */
static int weights_in(ad_tape *tape, int block, const char *name) {
    return ad_tape_view(tape, block, name, tape->built->role_offset[AD_ROLE_HEAD], weight_count(tape));
}

static int bias_in(ad_tape *tape, int block, const char *name) {
    const size_t at = tape->built->role_offset[AD_ROLE_HEAD] + ad_tape_round(weight_count(tape));
    return ad_tape_view(tape, block, name, at, (size_t)tape->params->way);
}

void ad_head_begin(ad_tape *tape) {
    const size_t way = (size_t)tape->params->way;
    const bool has_bias = !is_cosine(tape);
    ad_built *out = tape->built;
    if (!ad_head_trains(tape)) return;
    out->head = weights_in(tape, out->adapted, "head");
    if (has_bias) out->head_bias = bias_in(tape, out->adapted, "head bias");
    out->adapted_logical += weight_count(tape) + (has_bias ? way : 0);
    if (tape->params->head_init != AD_HEAD_BASE) return;
    ad_elementwise_copy(tape, AD_SEGMENT_INIT, tape->base[tape->net->head], out->head, weight_count(tape));
    if (has_bias) ad_elementwise_copy(tape, AD_SEGMENT_INIT, tape->base[tape->net->head_bias], out->head_bias, way);
}

/* ---- from class means ------------------------------------------------------------------------------------------- */

int ad_head_unit_rows(ad_tape *tape, ad_segment_id segment, int rows, int n, const char *const names[2], int *inverse) {
    const int f = tape->net->features;
    const int unit = ad_tape_floats(tape, names[0], (size_t)n * (size_t)f);
    *inverse = ad_tape_floats(tape, names[1], (size_t)n);
    ad_tape_op(tape, segment, AD_OP_ROW_NORM, ad_geometry_rows(n, f, 1), AD_OPERANDS(rows, unit, *inverse));
    return unit;
}

void ad_head_from_means(ad_tape *tape, int n, int features) {
    static const char *const names[] = {"unit means", "mean norms"};
    const ad_segment_id prefix = AD_SEGMENT_PREFIX;
    const ad_geometry g = ad_geometry_rows(n, tape->net->features, tape->params->way);
    const bool centroid = is_centroid(tape);
    ad_built *out = tape->built;
    if (centroid) out->head = ad_tape_floats(tape, "centroids", weight_count(tape));
    if (is_cosine(tape)) {
        ad_tape_op(tape, prefix, AD_OP_CLASS_MEAN, g, AD_OPERANDS(features, out->support_labels, out->head));
        return;
    }
    if (centroid) out->head_bias = ad_tape_floats(tape, "centroid bias", (size_t)g.o);
    const int means = ad_tape_floats(tape, "class means", weight_count(tape));
    ad_tape_op(tape, prefix, AD_OP_CLASS_MEAN, g, AD_OPERANDS(features, out->support_labels, means));
    int rows = means, inverse;
    /* A trained head starts from directions: the length of few pictures' mean says more of the pictures than of the
     * class. */
    if (!centroid) rows = ad_head_unit_rows(tape, prefix, means, g.o, names, &inverse);
    ad_op *op = ad_tape_op(tape, prefix, AD_OP_MEAN_HEAD, g, AD_OPERANDS(rows, out->head, out->head_bias));
    op->f[0] = centroid ? nearest_mean : tape->params->mean_scale;
}

/* ---- forward and backward --------------------------------------------------------------------------------------- */

/* D f (LINEAR), or one of its gradients. */
static ad_op *alignment_op(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, int n, ad_operands operands) {
    const int f = tape->net->features;
    ad_op *op = ad_tape_op(tape, segment, kind, ad_geometry_rows(n, f, f), operands);
    op->f[0] = 1;
    return op;
}

/* The features as the head sees them: f + D f where there is an alignment. */
static int aligned_features(ad_tape *tape, const ad_pass *pass, int features) {
    const size_t count = (size_t)pass->n * (size_t)tape->net->features;
    if (tape->built->alignment < 0) return features;
    const int aligned = ad_tape_floats(tape, "aligned features", count);
    ad_elementwise_copy(tape, pass->live, features, aligned, count);
    alignment_op(tape, pass->live, AD_OP_LINEAR, pass->n, AD_OPERANDS(features, tape->built->alignment, -1, aligned))
        ->flags = AD_ACCUMULATE;
    return aligned;
}

/* From the gradient of the aligned features to those of the alignment and of the features. */
static int alignment_backward(ad_tape *tape, const ad_pass *pass, int daligned) {
    const ad_built *out = tape->built;
    const size_t f = (size_t)tape->net->features, count = (size_t)pass->n * f;
    if (out->alignment < 0) return daligned;
    const int dalignment = ad_tape_view(tape, out->gradient, "alignment gradient", out->alignment_offset, f * f);
    alignment_op(tape, pass->live, AD_OP_LINEAR_DW, pass->n,
                 AD_OPERANDS(ad_pass_features(tape, pass), daligned, dalignment));
    const int dfeatures = ad_tape_floats(tape, "feature gradient", count);
    ad_elementwise_copy(tape, pass->live, daligned, dfeatures, count);
    alignment_op(tape, pass->live, AD_OP_LINEAR_DX, pass->n, AD_OPERANDS(daligned, out->alignment, dfeatures))->flags =
        AD_ACCUMULATE;
    return dfeatures;
}

ad_head_pass ad_head_forward(ad_tape *tape, const ad_pass *pass) {
    static const char *const of_features[] = {"unit features", "feature norms"};
    static const char *const of_head[] = {"unit head", "head norms"};
    const int features = aligned_features(tape, pass, ad_pass_features(tape, pass)), way = tape->params->way;
    const ad_segment_id below =
        tape->built->alignment < 0 ? ad_pass_segment(tape, pass, tape->net->node_count - 1) : pass->live;
    ad_head_pass head = {
        .features = features, .x = features, .weights = tape->built->head, .x_inverse = -1, .w_inverse = -1};
    int bias = tape->built->head_bias;
    if (is_cosine(tape)) {
        head.x = ad_head_unit_rows(tape, below, features, pass->n, of_features, &head.x_inverse);
        head.weights = ad_head_unit_rows(tape, pass->live, tape->built->head, way, of_head, &head.w_inverse);
        bias = -1;
    }
    head.logits = ad_tape_floats(tape, "logits", (size_t)pass->n * (size_t)way);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LINEAR, ad_geometry_rows(pass->n, tape->net->features, way),
                           AD_OPERANDS(head.x, head.weights, bias, head.logits));
    op->f[0] = logit_scale(tape);
    return head;
}

int ad_head_loss(ad_tape *tape, const ad_pass *pass, const ad_head_pass *head, const ad_batch *batch, int loss,
                 int predicted) {
    const int way = tape->params->way;
    const int dlogits = ad_tape_floats(tape, "logit gradient", (size_t)batch->n * (size_t)way);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_SOFTMAX_CE, ad_geometry_rows(batch->n, 1, way),
                           AD_OPERANDS(head->logits, batch->labels, batch->counter, loss, dlogits, predicted,
                                       tape->built->mix, tape->built->teacher));
    op->f[0] = tape->params->label_smoothing;
    op->f[1] = tape->params->regular.teacher;
    op->f[2] = tape->params->regular.temperature;
    op->i[7] = batch->rounds;
    return dlogits;
}

void ad_head_predict(ad_tape *tape, const ad_head_pass *head, const ad_batch *batch) {
    const size_t all = (size_t)batch->rounds * (size_t)tape->params->tasks * (size_t)batch->n;
    const int predicted = ad_tape_tensor(tape, AD_PLACE_HOST, "predicted", AD_I32, all);
    ad_op *op = ad_tape_op(tape, AD_SEGMENT_EVAL, AD_OP_SOFTMAX_CE, ad_geometry_rows(batch->n, 1, tape->params->way),
                           AD_OPERANDS(head->logits, batch->labels, batch->counter, -1, -1, predicted));
    op->i[7] = batch->rounds;
    tape->built->query_predicted = predicted;
}

/* Where the gradients of the head go; -1: it has none, or no bias. */
static void head_gradients(ad_tape *tape, const ad_pass *pass, int *dhead, int *dbias) {
    const ad_network *net = tape->net;
    if (pass->live == AD_SEGMENT_OUTER) {
        *dhead = net->head < 0 ? -1 : tape->gradient[net->head];
        *dbias = *dhead < 0 || is_cosine(tape) ? -1 : tape->gradient[net->head_bias];
        return;
    }
    *dhead = weights_in(tape, tape->built->gradient, "head gradient");
    *dbias = is_cosine(tape) ? -1 : bias_in(tape, tape->built->gradient, "head bias gradient");
}

static void weights_backward(ad_tape *tape, const ad_pass *pass, const ad_head_pass *head, int dlogits) {
    const int f = tape->net->features, way = tape->params->way;
    const bool cosine = is_cosine(tape);
    int dhead, dbias;
    head_gradients(tape, pass, &dhead, &dbias);
    if (dhead < 0) return;
    const int dw = cosine ? ad_tape_floats(tape, "unit head gradient", weight_count(tape)) : dhead;
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LINEAR_DW, ad_geometry_rows(pass->n, f, way),
                           AD_OPERANDS(head->x, dlogits, dw, dbias));
    op->f[0] = logit_scale(tape);
    if (cosine)
        ad_tape_op(tape, pass->live, AD_OP_ROW_NORM_BACK, ad_geometry_rows(way, f, 1),
                   AD_OPERANDS(head->weights, head->w_inverse, dw, dhead));
}

static int features_backward(ad_tape *tape, const ad_pass *pass, const ad_head_pass *head, int dlogits) {
    const int n = pass->n, f = tape->net->features, way = tape->params->way;
    const bool cosine = is_cosine(tape);
    const size_t count = (size_t)n * (size_t)f;
    const int dfeatures = ad_tape_floats(tape, "feature gradient", count);
    const int dx = cosine ? ad_tape_floats(tape, "unit feature gradient", count) : dfeatures;
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_LINEAR_DX, ad_geometry_rows(n, f, way),
                           AD_OPERANDS(dlogits, head->weights, dx));
    op->f[0] = logit_scale(tape);
    if (cosine)
        ad_tape_op(tape, pass->live, AD_OP_ROW_NORM_BACK, ad_geometry_rows(n, f, 1),
                   AD_OPERANDS(head->x, head->x_inverse, dx, dfeatures));
    return dfeatures;
}

void ad_head_backward(ad_tape *tape, ad_pass *pass, const ad_head_pass *head, int dlogits) {
    const int last = tape->net->node_count - 1;
    weights_backward(tape, pass, head, dlogits);
    if (tape->live[last]) pass->dy[last] = alignment_backward(tape, pass, features_backward(tape, pass, head, dlogits));
}

void ad_head_features(ad_tape *tape, int features, int n) {
    const size_t count = (size_t)n * (size_t)tape->net->features;
    tape->built->features = ad_tape_tensor(tape, AD_PLACE_HOST_TASKS, "features", AD_F32, count);
    ad_elementwise_copy(tape, AD_SEGMENT_EVAL, features, tape->built->features, count);
}
