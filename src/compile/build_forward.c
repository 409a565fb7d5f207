#include "compile/builder.h"

ad_geometry ad_builder_geometry(const ad_node *node, int n) {
    return (ad_geometry){.n = n,
                         .h = node->h,
                         .w = node->w,
                         .c = node->c,
                         .oh = node->oh,
                         .ow = node->ow,
                         .o = node->o,
                         .k = node->k,
                         .stride = node->stride,
                         .pad = node->pad,
                         .dil = node->dil,
                         .m = node->m,
                         .group = node->group};
}

ad_geometry ad_builder_product(const ad_node *node, int n) {
    const int groups = node->group ? node->o / node->group : 1, c = node->group ? node->group : node->c;
    return (ad_geometry){.n = n,
                         .h = node->oh,
                         .w = node->ow * groups,
                         .c = c * node->m,
                         .oh = node->oh,
                         .ow = node->ow * groups,
                         .o = node->o / groups,
                         .k = 1,
                         .stride = 1,
                         .dil = 1};
}

bool ad_builder_coefficients_adapt(const ad_builder *b, const ad_node *node) {
    return ad_builder_adapts(b, node->coefficients) || ad_builder_adapts(b, node->kernel);
}

bool ad_builder_weights_adapt(const ad_builder *b, const ad_node *node) {
    return ad_builder_coefficients_adapt(b, node) || ad_builder_adapts(b, node->atoms);
}

bool ad_builder_folds(const ad_builder *b, int number) {
    const ad_node *conv = &b->net->nodes[number], *norm = conv + 1;
    /* The shift is bound as a tensor of its own, which the alignment of tensors allows for these widths. The outputs of
     * groups share coefficients, but not scales. */
    return b->p->bn == AD_BN_FROZEN && conv->m > 0 && conv->group == 0 && !ad_builder_coefficients_adapt(b, conv) &&
           !ad_builder_lowrank(b, number) && number + 1 < b->net->node_count && norm->kind == AD_NODE_NORM &&
           norm->input == number && !ad_builder_adapts(b, norm->gamma) && !ad_builder_adapts(b, norm->statistics) &&
           (size_t)conv->o * sizeof(float) % AD_TENSOR_ALIGN_BYTES == 0;
}

int ad_builder_pooled(const ad_builder *b, int number) {
    int pool = -1, readers = 0;
    for (int i = number + 1; i < b->net->node_count; i++) {
        const ad_node *node = &b->net->nodes[i];
        readers += node->input == number;
        readers += node->kind == AD_NODE_NORM && node->residual == number;
        if (node->kind == AD_NODE_POOL && node->input == number) pool = i;
    }
    if (pool < 0 || readers > 1 || b->net->nodes[number].kind != AD_NODE_NORM) return -1;
    const ad_node *node = &b->net->nodes[pool];
    const int largest = 15; /* tap numbers of AFFINE_POOL are bytes */
    return !node->average && node->stride == node->k && node->pad == 0 && node->k <= largest ? pool : -1;
}

/* coef of a frozen, not adapted norm: once per program. */
static int folded_coef(ad_builder *b, int norm) {
    if (b->folded[norm] >= 0) return b->folded[norm];
    const ad_node *node = &b->net->nodes[norm];
    int coef = ad_builder_tensor(b, "coef", AD_F32, 2 * (size_t)node->c, false);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_INIT, AD_OP_BN_FOLD);
    op->tasks = 1;
    op->g = ad_builder_geometry(node, 1);
    op->t[0] = (int16_t)b->base[node->statistics];
    op->t[1] = (int16_t)b->base[node->gamma];
    op->t[2] = (int16_t)b->base[node->beta];
    op->t[3] = (int16_t)coef;
    op->f[0] = 1e-5f;
    return b->folded[norm] = coef;
}

/* The shift half of a folded coef as the bias of the convolution. */
static int folded_bias(ad_builder *b, int conv) {
    const ad_node *node = &b->net->nodes[conv];
    int coef = folded_coef(b, conv + 1);
    int bias = ad_builder_tensor(b, "bias", AD_F32, 0, false);
    if (bias < 0 || coef < 0) return -1;
    b->plan->tensors[bias] = b->plan->tensors[coef];
    b->plan->tensors[bias].count = (size_t)node->o;
    b->plan->tensors[bias].offset += (size_t)node->o * sizeof(float);
    return bias;
}

int ad_builder_composed(ad_builder *b, ad_segment_id segment, int number) {
    const ad_node *node = &b->net->nodes[number];
    if (node->m == 0) return ad_builder_param(b, node->kernel);
    bool tasked = ad_builder_weights_adapt(b, node);
    if (!tasked) segment = AD_SEGMENT_INIT;
    if (b->composed[segment][number] >= 0) return b->composed[segment][number];
    int scale = ad_builder_folds(b, number) ? folded_coef(b, number + 1) : -1;
    int w = ad_builder_tensor(b, "weights", AD_F32, (size_t)node->k * node->k * node->c * node->o, tasked);
    ad_op *op = ad_builder_op(b, segment, AD_OP_COMPOSE);
    op->g = ad_builder_geometry(node, 1);
    op->tasks = tasked ? op->tasks : 1;
    op->i[0] = b->net->params[node->coefficients].o;
    op->t[0] = (int16_t)ad_builder_param(b, node->coefficients);
    op->t[1] = (int16_t)ad_builder_param(b, node->atoms);
    op->t[2] = (int16_t)scale;
    op->t[3] = (int16_t)w;
    op->t[4] = (int16_t)(node->kernel >= 0 ? ad_builder_param(b, node->kernel) : -1);
    return b->composed[segment][number] = w;
}

int ad_builder_packed(ad_builder *b, ad_segment_id segment, int number) {
    const ad_node *node = &b->net->nodes[number];
    if (node->group) return ad_builder_param(b, node->coefficients); /* no slice, and packed as they are */
    bool tasked = ad_builder_coefficients_adapt(b, node);
    if (!tasked) segment = AD_SEGMENT_INIT;
    if (b->packed[segment][number] >= 0) return b->packed[segment][number];
    int scale = ad_builder_folds(b, number) ? folded_coef(b, number + 1) : -1;
    int packed = ad_builder_tensor(b, "coefficients", AD_F32, (size_t)node->c * node->m * node->o, tasked);
    ad_op *op = ad_builder_op(b, segment, AD_OP_PACK);
    op->g = ad_builder_geometry(node, 1);
    op->tasks = tasked ? op->tasks : 1;
    op->i[0] = b->net->params[node->coefficients].o;
    op->t[0] = (int16_t)ad_builder_param(b, node->coefficients);
    op->t[1] = (int16_t)scale;
    op->t[2] = (int16_t)packed;
    return b->packed[segment][number] = packed;
}

static void conv_forward(ad_builder *b, ad_pass *pass, int number, ad_segment_id segment) {
    const ad_node *node = &b->net->nodes[number];
    const ad_geometry g = ad_builder_geometry(node, pass->n);
    const size_t out = (size_t)pass->n * node->oh * node->ow;
    int x = pass->y[node->input], bias = ad_builder_folds(b, number) ? folded_bias(b, number) : -1;
    int y = ad_builder_tensor(b, node->name, AD_F32, out * node->o, true);
    ad_conv_path path = ad_builder_path(b, number, pass->wants_gradient);
    if (path == AD_PATH_COMPOSED) {
        int w = ad_builder_kernel(b, segment, number);
        ad_op *op = ad_builder_op(b, segment, AD_OP_CONV);
        op->g = g;
        op->t[0] = (int16_t)x, op->t[1] = (int16_t)w, op->t[2] = (int16_t)bias, op->t[3] = (int16_t)y;
    } else if (path == AD_PATH_COEFFICIENTS_FIRST) {
        /* While nothing below adapts, x and therefore u are the same at every step (docs/methods.md, "Why adapting
         * atoms is cheap", 2). */
        ad_segment_id product = b->dirty[node->input] ? segment : pass->frozen;
        int packed = ad_builder_packed(b, segment, number);
        int u = pass->u[number];
        if (u < 0) {
            const ad_type type = b->p->half ? AD_F16 : AD_F32;
            u = pass->u[number] =
                ad_builder_tensor(b, "u", type, (size_t)pass->n * node->h * node->w * node->m * node->o, true);
            ad_op *op = ad_builder_op(b, product, AD_OP_CONV);
            op->g = (ad_geometry){.n = pass->n,
                                  .h = node->h,
                                  .w = node->w,
                                  .c = node->c,
                                  .oh = node->h,
                                  .ow = node->w,
                                  .o = node->m * node->o,
                                  .k = 1,
                                  .stride = 1,
                                  .dil = 1};
            op->t[0] = (int16_t)x, op->t[1] = (int16_t)packed, op->t[3] = (int16_t)u;
        }
        ad_op *op = ad_builder_op(b, segment, AD_OP_ATOMS);
        op->g = g;
        op->t[0] = (int16_t)u, op->t[1] = (int16_t)ad_builder_param(b, node->atoms), op->t[2] = (int16_t)bias,
        op->t[3] = (int16_t)y;
    } else if (node->group) {
        const ad_geometry rows = ad_builder_product(node, pass->n);
        int packed = ad_builder_packed(b, segment, number);
        int z = pass->u[number] = ad_builder_tensor(b, "z", AD_F32, (size_t)rows.n * rows.h * rows.w * rows.c, true);
        ad_op *op = ad_builder_op(b, segment, AD_OP_DEPTH);
        op->g = g;
        op->t[0] = (int16_t)x, op->t[1] = (int16_t)ad_builder_param(b, node->atoms), op->t[2] = (int16_t)z;
        op = ad_builder_op(b, segment, AD_OP_CONV);
        op->g = rows;
        op->t[0] = (int16_t)z, op->t[1] = (int16_t)packed, op->t[2] = (int16_t)bias, op->t[3] = (int16_t)y;
    } else {
        int packed = ad_builder_packed(b, segment, number);
        ad_op *op = ad_builder_op(b, segment, AD_OP_FUSED_ATOMS);
        op->g = g;
        op->t[0] = (int16_t)x, op->t[1] = (int16_t)packed, op->t[2] = (int16_t)ad_builder_param(b, node->atoms);
        op->t[3] = (int16_t)bias, op->t[4] = (int16_t)y;
    }
    pass->y[number] = y;
}

static void norm_forward(ad_builder *b, ad_pass *pass, int number, ad_segment_id segment) {
    const ad_node *node = &b->net->nodes[number];
    const ad_geometry g = ad_builder_geometry(node, pass->n);
    int x = pass->y[node->input], stats = -1, coef = -1;
    bool tasked = true;
    if (pass->batch_statistics) {
        stats = ad_builder_tensor(b, "stats", AD_F32, 2 * (size_t)node->c, true);
        ad_op *op = ad_builder_op(b, segment, AD_OP_BN_STATS);
        op->g = g;
        op->t[0] = (int16_t)x, op->t[1] = (int16_t)stats;
        if (b->p->bn == AD_BN_TRAIN && pass->wants_gradient) {
            double count = (double)pass->n * node->h * node->w;
            op = ad_builder_op(b, segment, AD_OP_BN_RUNNING);
            op->g = g;
            op->f[0] = 0.1f;
            op->f[1] = count > 1 ? (float)(count / (count - 1)) : 1.0f;
            op->t[0] = (int16_t)stats, op->t[1] = (int16_t)b->base[node->statistics];
        }
    } else if (pass->statistics_of) {
        stats = pass->statistics_of[number];
    } else {
        stats = ad_builder_param(b, node->statistics);
        tasked = ad_builder_adapts(b, node->gamma) || ad_builder_adapts(b, node->statistics);
    }
    if (ad_builder_folds(b, node->input)) {
        /* scale and shift are in the convolution already */
    } else if (!tasked) {
        coef = folded_coef(b, number);
    } else {
        coef = ad_builder_tensor(b, "coef", AD_F32, 2 * (size_t)node->c, true);
        ad_op *op = ad_builder_op(b, segment, AD_OP_BN_FOLD);
        op->g = g;
        op->t[0] = (int16_t)stats;
        op->t[1] = (int16_t)ad_builder_param(b, node->gamma);
        op->t[2] = (int16_t)ad_builder_param(b, node->beta);
        op->t[3] = (int16_t)coef;
        op->f[0] = 1e-5f;
    }
    const int pool = ad_builder_pooled(b, number);
    const ad_node *end = &b->net->nodes[pool < 0 ? number : pool];
    const size_t count = (size_t)pass->n * end->oh * end->ow * end->o;
    int y = ad_builder_tensor(b, end->name, AD_F32, count, true), winner = -1;
    if (pool >= 0 && pass->wants_gradient && b->dirty[number])
        winner = ad_builder_tensor(b, "winner", AD_I32, count / 4, true);
    ad_op *op = ad_builder_op(b, segment, pool < 0 ? AD_OP_AFFINE : AD_OP_AFFINE_POOL);
    op->g = ad_builder_geometry(end, pass->n);
    op->i[0] = node->act;
    op->f[0] = node->slope;
    op->t[0] = (int16_t)x, op->t[1] = (int16_t)coef;
    op->t[2] = (int16_t)(node->residual >= 0 ? pass->y[node->residual] : -1);
    op->t[3] = (int16_t)y, op->t[4] = (int16_t)winner;
    pass->y[number] = y;
    if (pool >= 0) pass->y[pool] = y;
    pass->winner[number] = winner;
    pass->stats[number] = stats;
    pass->coef[number] = coef;
}

static void pool_forward(ad_builder *b, ad_pass *pass, int number, ad_segment_id segment) {
    const ad_node *node = &b->net->nodes[number];
    int y = ad_builder_tensor(b, node->name, AD_F32, (size_t)pass->n * node->oh * node->ow * node->o, true);
    ad_op *op = ad_builder_op(b, segment, AD_OP_POOL);
    op->g = ad_builder_geometry(node, pass->n);
    op->i[0] = node->average;
    op->t[0] = (int16_t)pass->y[node->input], op->t[1] = (int16_t)y;
    pass->y[number] = y;
}

void ad_builder_forward(ad_builder *b, ad_pass *pass) {
    for (int i = 1; i < b->net->node_count && !b->p->from_features && b->status == ADATOM_OK; i++) {
        if (pass->y[i] >= 0) continue;
        ad_segment_id segment = b->dirty[i] ? pass->live : pass->frozen;
        switch (b->net->nodes[i].kind) {
        case AD_NODE_CONV: conv_forward(b, pass, i, segment); break;
        case AD_NODE_NORM: norm_forward(b, pass, i, segment); break;
        case AD_NODE_POOL: pool_forward(b, pass, i, segment); break;
        case AD_NODE_INPUT: break;
        }
    }
}
