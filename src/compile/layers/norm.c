/* Batch norm with the activation and the residual behind it. */
#include "compile/layers/layers.h"
#include "plan/activation.h"

static const float running_share = 0.1f; /* of a batch in the running statistics */

static size_t channels(const ad_node *node) { return (size_t)node->c; }

static bool norm_adapts(const ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    return ad_tape_adapts(tape, node->gamma) || ad_tape_adapts(tape, node->statistics) ||
           ad_tape_adapts(tape, node->scale);
}

/* coef[2][c] from statistics and the parameters. */
static ad_op *fold(ad_tape *tape, ad_segment_id segment, int number, int n, ad_operands operands) {
    ad_op *op = ad_tape_op(tape, segment, AD_OP_BN_FOLD, ad_geometry_node(&tape->net->nodes[number], n), operands);
    op->f[0] = tape->net->nodes[number].epsilon;
    return op;
}

int ad_norm_folded(ad_tape *tape, int number) {
    const ad_node *node = &tape->net->nodes[number];
    int *made = ad_tape_made(tape, AD_SEGMENT_INIT, number, AD_NORM_FOLDED);
    if (*made >= 0) return *made;
    const int coef = ad_tape_tensor(tape, AD_PLACE_CONSTANT, "coef", AD_F32, 2 * channels(node));
    const int *base = tape->base;
    ad_op *op = fold(tape, AD_SEGMENT_INIT, number, 1,
                     AD_OPERANDS(base[node->statistics], base[node->gamma], base[node->beta], coef));
    op->tasks = 1;
    return *made = coef;
}

int ad_norm_bias(ad_tape *tape, int number) {
    const size_t count = channels(&tape->net->nodes[number]);
    const int coef = ad_norm_folded(tape, number);
    return ad_tape_view(tape, coef, "bias", count, count);
}

ad_op *ad_norm_running(ad_tape *tape, ad_segment_id segment, int number, int pictures, int stats) {
    const ad_node *node = &tape->net->nodes[number];
    const double count = (double)pictures * node->h * node->w;
    ad_op *op = ad_tape_op(tape, segment, AD_OP_BN_RUNNING, ad_geometry_node(node, pictures),
                           AD_OPERANDS(stats, tape->base[node->statistics]));
    op->f[0] = running_share;
    op->f[1] = count > 1 ? (float)(count / (count - 1)) : 1.0f;
    return op;
}

/* Takes the statistics of this batch. Pretraining also adds them to the running ones; meta-training adds the mean over
 * tasks of those of the outer pass. */
static int batch_statistics(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const ad_geometry g = ad_geometry_node(node, pass->n);
    const ad_segment_id segment = ad_pass_segment(tape, pass, number);
    const int stats = ad_tape_floats(tape, "stats", 2 * channels(node));
    ad_tape_op(tape, segment, AD_OP_BN_STATS, g, AD_OPERANDS(pass->y[node->input], stats));
    if (tape->params->bn == AD_BN_TRAIN && pass->wants_gradient) {
        if (pass->live == AD_SEGMENT_OUTER)
            ad_elementwise_copy(tape, segment, stats, ad_tape_gradient(tape, node->statistics, NULL),
                                2 * channels(node));
        else if (tape->params->outer.kind == AD_OUTER_NONE)
            ad_norm_running(tape, segment, number, pass->n, stats);
    }
    return stats;
}

/* The statistics that the pass says; -1: the node has none. */
static int statistics(ad_tape *tape, const ad_pass *pass, int number) {
    if (tape->net->nodes[number].gamma < 0) return -1;
    if (pass->batch_statistics) return batch_statistics(tape, pass, number);
    if (pass->statistics_of) return pass->statistics_of->kept[number][AD_NORM_STATS];
    return ad_tape_param(tape, tape->net->nodes[number].statistics);
}

/* coef of a node without statistics: its factors, and shifts of zero. */
static int factors(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const bool tasked = ad_tape_adapts(tape, node->scale);
    const ad_segment_id segment = tasked ? ad_pass_segment(tape, pass, number) : AD_SEGMENT_INIT;
    int *made = ad_tape_made(tape, segment, number, AD_NORM_FOLDED);
    if (*made >= 0) return *made;
    const size_t c = channels(node);
    const int coef = ad_tape_tensor(tape, tasked ? AD_PLACE_WORK : AD_PLACE_CONSTANT, "coef", AD_F32, 2 * c);
    ad_op *zero = ad_elementwise_zero(tape, segment, coef, 2 * c);
    if (!tasked) zero->tasks = 1;
    ad_op *copy = ad_elementwise_copy(tape, segment, ad_tape_param(tape, node->scale), coef, c);
    if (!tasked) copy->tasks = 1;
    return *made = coef;
}

/* Returns coef, scale and shift; -1: there are none, or the convolution has them already. */
static int coefficients(ad_tape *tape, const ad_pass *pass, int number, int stats) {
    const ad_node *node = &tape->net->nodes[number];
    if (node->gamma < 0) return node->scale < 0 ? -1 : factors(tape, pass, number);
    const bool running = !pass->batch_statistics && !pass->statistics_of;
    if (ad_way_folds(tape, node->input)) return -1;
    if (running && !norm_adapts(tape, number)) return ad_norm_folded(tape, number);
    const int coef = ad_tape_floats(tape, "coef", 2 * channels(node));
    fold(tape, ad_pass_segment(tape, pass, number), number, pass->n,
         AD_OPERANDS(stats, ad_tape_param(tape, node->gamma), ad_tape_param(tape, node->beta), coef));
    return coef;
}

void ad_norm_prepare(ad_tape *tape, ad_pass *pass, int number) {
    const int stats = statistics(tape, pass, number);
    pass->kept[number][AD_NORM_STATS] = stats;
    pass->kept[number][AD_NORM_COEF] = coefficients(tape, pass, number, stats);
}

static void norm_forward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    ad_norm_prepare(tape, pass, number);
    const int coef = pass->kept[number][AD_NORM_COEF];
    if (ad_affine_pool_of(tape, number) >= 0) {
        ad_affine_pool_forward(tape, pass, number, coef);
        return;
    }
    const int y = ad_pass_output(tape, pass, number), residual = node->residual >= 0 ? pass->y[node->residual] : -1;
    ad_op *op = ad_tape_op(tape, ad_pass_segment(tape, pass, number), AD_OP_AFFINE, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], coef, residual, y));
    ad_affine_activation(op, node);
}

/* What the activation's derivative is taken from: the output, or the input with its scale and shift. */
static bool by_output(const ad_tape *tape, int number) { return ad_act_by_output(tape->net->nodes[number].act); }

static void affine_sums(ad_tape *tape, const ad_pass *pass, int number, int stats, int sums) {
    const ad_node *node = &tape->net->nodes[number];
    const bool output = by_output(tape, number);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_AFFINE_SUMS, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(pass->y[node->input], output ? pass->y[number] : -1, pass->dy[number], stats,
                                       sums, output ? -1 : pass->kept[number][AD_NORM_COEF]));
    ad_affine_activation(op, node);
}

static void affine_back(ad_tape *tape, const ad_pass *pass, int number, const ad_affine_back *b) {
    const ad_node *node = &tape->net->nodes[number];
    const bool output = by_output(tape, number);
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_AFFINE_BACK, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(output ? pass->y[number] : -1, pass->dy[number], b->back,
                                       output ? b->x : pass->y[node->input], b->dx, b->dresidual,
                                       output ? -1 : pass->kept[number][AD_NORM_COEF]));
    ad_affine_activation(op, node);
    op->flags = b->flags;
    op->i[1] = !output && b->x < 0;
}

/* The gradient of the factors: sums of d x, which AFFINE_SUMS makes with means of zero, the same in every step. */
static void factors_gradient(ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const size_t c = channels(node);
    const int zeros = ad_tape_tensor(tape, AD_PLACE_CONSTANT, "means", AD_F32, 2 * c);
    const int sums = ad_tape_floats(tape, "sums", 2 * c);
    ad_elementwise_zero(tape, AD_SEGMENT_INIT, zeros, 2 * c)->tasks = 1;
    affine_sums(tape, pass, number, zeros, sums);
    ad_elementwise_copy_from(tape, pass->live, sums, c, ad_tape_gradient(tape, node->scale, NULL), c);
}

/* Writes the gradients of what adapts of the node. Returns what AFFINE_BACK makes the gradient of x with: coef where
 * the statistics are constants and nothing adapts, else the tensor `back` of BN_BACK, which is made only where
 * something below is live. */
static int parameter_gradients(ad_tape *tape, const ad_pass *pass, int number, bool below) {
    const ad_node *node = &tape->net->nodes[number];
    const bool adapts = ad_tape_adapts(tape, node->gamma);
    if (ad_tape_adapts(tape, node->scale)) factors_gradient(tape, pass, number);
    if (node->gamma < 0 || (!adapts && !(pass->batch_statistics && below))) return pass->kept[number][AD_NORM_COEF];
    const int sums = ad_tape_floats(tape, "sums", 2 * channels(node)), stats = pass->kept[number][AD_NORM_STATS];
    if (ad_affine_pool_of(tape, number) >= 0)
        ad_affine_pool_sums(tape, pass, number, sums);
    else
        affine_sums(tape, pass, number, stats, sums);
    const int back = below ? ad_tape_floats(tape, "back", 3 * channels(node)) : -1;
    const int dgamma = adapts ? ad_tape_gradient(tape, node->gamma, NULL) : -1;
    const int dbeta = adapts ? ad_tape_gradient(tape, node->beta, NULL) : -1;
    ad_op *op = ad_tape_op(tape, pass->live, AD_OP_BN_BACK, ad_geometry_node(node, pass->n),
                           AD_OPERANDS(sums, stats, ad_tape_param(tape, node->gamma), dgamma, dbeta, back));
    op->i[0] = pass->batch_statistics;
    op->f[0] = node->epsilon;
    return back;
}

static void norm_backward(ad_tape *tape, ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    const bool below = tape->live[node->input], beside = node->residual >= 0 && tape->live[node->residual];
    const int back = parameter_gradients(tape, pass, number, below);
    if (!below && !beside) return;
    uint16_t fresh = 0, into_beside = 0; /* dx is always fresh: only this norm reads its convolution */
    ad_affine_back b = {.back = below ? back : -1, .x = -1, .dx = -1, .dresidual = -1};
    if (below) b.dx = ad_pass_gradient(tape, pass, node->input, &fresh);
    if (beside) b.dresidual = ad_pass_gradient(tape, pass, node->residual, &into_beside);
    if (node->gamma >= 0 && pass->batch_statistics && below) b.x = pass->y[node->input];
    b.flags = into_beside;
    if (ad_affine_pool_of(tape, number) >= 0)
        ad_affine_pool_back(tape, pass, number, &b);
    else
        affine_back(tape, pass, number, &b);
}

void ad_norm_keep_statistics(ad_tape *tape, const ad_pass *pass) {
    const ad_network *net = tape->net;
    const size_t begin = net->role_begin[AD_ROLE_STATISTICS], end = net->role_begin[AD_ROLE_STATISTICS + 1];
    tape->built->statistics = ad_tape_tensor(tape, AD_PLACE_HOST_TASKS, "statistics", AD_F32, end - begin);
    for (int i = 0; i < net->node_count && tape->status == ADATOM_OK; i++) {
        const ad_node *node = &net->nodes[i];
        if (node->kind != AD_NODE_NORM || node->statistics < 0) continue;
        const size_t at = net->params[node->statistics].offset - begin, count = 2 * channels(node);
        const int part = ad_tape_view(tape, tape->built->statistics, node->name, at, count);
        ad_elementwise_copy(tape, AD_SEGMENT_EVAL, pass->kept[i][AD_NORM_STATS], part, count);
    }
}

const ad_layer ad_layer_norm = {.adapts = norm_adapts, .forward = norm_forward, .backward = norm_backward};
