#include "nn/builder.h"

#include <stdio.h>
#include <string.h>

static void keep(ad_builder *b, adatom_status status) {
    if (b->status == ADATOM_OK) b->status = status;
}

static int tensor_in(ad_builder *b, int arena, const char *name, ad_type type, size_t count, bool tasked) {
    if (b->status != ADATOM_OK) return -1;
    int t = ad_plan_tensor(b->ctx, b->plan, name, type, arena, count, tasked);
    if (t > INT16_MAX) t = -1, ad_fail(b->ctx, ADATOM_FAILED, "the plan needs more than %d tensors", INT16_MAX);
    if (t < 0) keep(b, ADATOM_OUT_OF_MEMORY);
    return t;
}

int ad_builder_tensor(ad_builder *b, const char *name, ad_type type, size_t count, bool tasked) {
    return tensor_in(b, tasked ? b->arena_work : b->arena_constant, name, type, count, tasked);
}

ad_op *ad_builder_op(ad_builder *b, ad_segment_id segment, int kind) {
    static _Thread_local ad_op nowhere;
    ad_op_list *list = &b->lists[segment];
    ad_op *op = &nowhere;
    if (b->status == ADATOM_OK && list->count == list->capacity) {
        int capacity = list->capacity ? 2 * list->capacity : 64;
        ad_op *grown = ad_realloc(b->ctx, list->ops, (size_t)list->count, (size_t)capacity, sizeof *grown);
        if (grown)
            list->ops = grown, list->capacity = capacity;
        else
            keep(b, ADATOM_OUT_OF_MEMORY);
    }
    if (b->status == ADATOM_OK) op = &list->ops[list->count++];
    *op = (ad_op){.kind = (uint16_t)kind, .tasks = (int16_t)b->p->tasks};
    for (int r = 0; r < AD_OP_TENSORS; r++) op->t[r] = -1;
    return op;
}

/* An operation with up to four tensors and the common n, c, o. */
static ad_op *simple(ad_builder *b, ad_segment_id s, int kind, int n, int c, int o, int t0, int t1, int t2, int t3) {
    ad_op *op = ad_builder_op(b, s, kind);
    op->g = (ad_geometry){.n = n, .h = 1, .w = 1, .c = c, .oh = 1, .ow = 1, .o = o, .k = 1, .stride = 1, .dil = 1};
    op->t[0] = (int16_t)t0, op->t[1] = (int16_t)t1, op->t[2] = (int16_t)t2, op->t[3] = (int16_t)t3;
    return op;
}

bool ad_builder_adapts(const ad_builder *b, int param) { return param >= 0 && (b->p->adapt >> b->net->params[param].role & 1); }
int ad_builder_param(ad_builder *b, int param) { return b->adapted[param] >= 0 ? b->adapted[param] : b->base[param]; }

/* ---- parameters --------------------------------------------------------------------------------------------------- */

int ad_builder_view(ad_builder *b, int block, const char *name, size_t offset, size_t count) {
    if (b->status != ADATOM_OK || block < 0) return -1; /* after a failure there may be no tensor at all */
    int t = tensor_in(b, b->plan->tensors[block].arena, name, AD_F32, 0, false);
    if (t < 0) return -1;
    ad_tensor *v = &b->plan->tensors[t];
    const ad_tensor *whole = &b->plan->tensors[block];
    v->offset = whole->offset + offset * sizeof(float);
    v->count = count;
    v->stride = whole->stride;
    return t;
}

/* Base parameters as they lie in the model's arena (external arena 0). */
static void lay_base(ad_builder *b) {
    for (int i = 0; i < b->net->param_count && b->status == ADATOM_OK; i++) {
        const ad_param *p = &b->net->params[i];
        int t = tensor_in(b, 0, p->name, AD_F32, p->count, false);
        if (t >= 0) b->plan->tensors[t].offset = p->offset * sizeof(float);
        b->base[i] = t;
    }
    b->plan->arenas[0].bytes = b->net->role_begin[AD_ROLE_COUNT] * sizeof(float);
}

static bool head_adapts(const ad_builder *b) { return b->p->head == AD_HEAD_LINEAR || b->p->head == AD_HEAD_COSINE; }

/* The block that adapts, its gradient and the optimiser's state: roles in order, the head with this plan's classes. */
static void lay_adapted(ad_builder *b) {
    const ad_build_params *p = b->p;
    ad_built *out = b->out;
    const size_t head = ad_builder_round((size_t)p->way * (size_t)b->net->features), head_bias = ad_builder_round((size_t)p->way);
    size_t end = 0;
    for (int role = 0; role < AD_ROLE_COUNT; role++) {
        out->role_offset[role] = end;
        if (role == AD_ROLE_HEAD && head_adapts(b))
            end += head + head_bias;
        else if (role != AD_ROLE_HEAD && (p->adapt >> role & 1))
            end += b->net->role_begin[role + 1] - b->net->role_begin[role];
    }
    end = ad_builder_lowrank_layout(b, end);
    out->adapted_count = end;
    if (end == 0) return;
    int gradient = -1;
    out->adapted = tensor_in(b, b->arena_adapted, "adapted", AD_F32, end, true);
    if (p->steps > 0) {
        out->velocity = tensor_in(b, b->arena_adapted, "velocity", AD_F32, end, true);
        if (p->adam) out->second = tensor_in(b, b->arena_adapted, "second moment", AD_F32, end, true);
        gradient = tensor_in(b, b->arena_adapted, "gradient", AD_F32, end, true);
    }
    const int blocks[] = {out->adapted, out->velocity, out->second, gradient};
    for (size_t i = 0; i < AD_COUNT(blocks); i++)
        if (blocks[i] >= 0) simple(b, AD_SEGMENT_INIT, AD_OP_FILL, 1, (int)end, 1, blocks[i], -1, -1, -1);
    for (int i = 0; i < b->net->param_count && b->status == ADATOM_OK; i++) {
        const ad_param *q = &b->net->params[i];
        if (!ad_builder_adapts(b, i) || q->role == AD_ROLE_HEAD) continue;
        size_t at = out->role_offset[q->role] + q->offset - b->net->role_begin[q->role];
        b->adapted[i] = ad_builder_view(b, out->adapted, q->name, at, q->count);
        if (gradient >= 0) b->gradient[i] = ad_builder_view(b, gradient, q->name, at, q->count);
        out->adapted_logical += q->logical;
        simple(b, AD_SEGMENT_INIT, AD_OP_COPY, 1, (int)q->count, 1, b->base[i], b->adapted[i], -1, -1);
    }
    ad_builder_lowrank_begin(b, gradient);
    if (!head_adapts(b)) return;
    const size_t at = out->role_offset[AD_ROLE_HEAD], weights = (size_t)p->way * (size_t)b->net->features;
    out->head = ad_builder_view(b, out->adapted, "head", at, weights);
    out->adapted_logical += weights;
    if (p->head == AD_HEAD_LINEAR) {
        out->head_bias = ad_builder_view(b, out->adapted, "head bias", at + head, (size_t)p->way);
        out->adapted_logical += (size_t)p->way;
    }
    if (p->head_init == AD_HEAD_BASE) {
        simple(b, AD_SEGMENT_INIT, AD_OP_COPY, 1, (int)weights, 1, b->base[b->net->head], out->head, -1, -1);
        if (p->head == AD_HEAD_LINEAR)
            simple(b, AD_SEGMENT_INIT, AD_OP_COPY, 1, p->way, 1, b->base[b->net->head_bias], out->head_bias, -1, -1);
    }
}

static void mark_dirty(ad_builder *b) {
    if (b->p->from_features) return;
    for (int i = 1; i < b->net->node_count; i++) {
        const ad_node *n = &b->net->nodes[i];
        const int own[] = {n->kernel, n->coefficients, n->atoms, n->gamma, n->statistics};
        bool dirty = b->dirty[n->input] || (n->kind == AD_NODE_NORM && n->residual >= 0 && b->dirty[n->residual]);
        for (size_t k = 0; k < AD_COUNT(own); k++) dirty = dirty || ad_builder_adapts(b, own[k]);
        b->dirty[i] = dirty || ad_builder_lowrank(b, i);
    }
}

/* ---- batches ------------------------------------------------------------------------------------------------------ */

static int gather(ad_builder *b, ad_segment_id segment, int n, int index, int rounds, int counter, bool augment) {
    const ad_build_params *p = b->p;
    const int size = p->from_features ? 1 : b->net->image_size, c = p->from_features ? b->net->features : 4;
    int x = ad_builder_tensor(b, "input", AD_F32, (size_t)n * size * size * c, true), first = 0;
    for (int k = 0; k < p->chunk_count && b->status == ADATOM_OK; k++) {
        ad_op *op;
        int data = k + b->net->param_count; /* made by lay_data, right after the base parameters */
        if (p->from_features) {
            op = simple(b, segment, AD_OP_GATHER_ROWS, n, c, 1, data, index, counter, x);
        } else {
            op = simple(b, segment, AD_OP_GATHER, n, c, 1, data, index, counter, b->out->norm);
            op->g.h = op->g.oh = op->g.w = op->g.ow = size;
            op->t[4] = (int16_t)x;
            op->i[2] = op->i[3] = p->data_size;
            if (augment) {
                op->flags = (uint16_t)p->augment_flags;
                op->i[4] = p->augment_mode, op->i[5] = p->augment_pad, op->i[6] = p->augment_seed;
                memcpy(op->f, p->augment, sizeof op->f);
            }
        }
        op->i[0] = first, op->i[1] = p->chunks[k], op->i[7] = rounds;
        first += p->chunks[k];
    }
    return x;
}

static void lay_data(ad_builder *b) {
    const ad_build_params *p = b->p;
    for (int k = 0; k < p->chunk_count; k++) {
        size_t each = p->from_features ? (size_t)b->net->features : 3 * (size_t)p->data_size * (size_t)p->data_size;
        tensor_in(b, 1 + k, "data", p->from_features ? AD_F32 : AD_U8, each * (size_t)p->chunks[k], false);
    }
    if (!p->from_features) b->out->norm = tensor_in(b, b->arena_host, "normalisation", AD_F32, 8, false);
}

/* Arrays of a pass: node_count ints each of y, u, stats, coef, winner. */
static bool pass_begin(ad_builder *b, ad_pass *pass) {
    size_t nodes = (size_t)b->net->node_count;
    pass->y = ad_malloc(b->ctx, 5 * nodes, sizeof(int));
    if (!pass->y) {
        keep(b, ADATOM_OUT_OF_MEMORY);
        return false;
    }
    memset(pass->y, 0xff, 5 * nodes * sizeof(int));
    pass->u = pass->y + nodes, pass->stats = pass->u + nodes, pass->coef = pass->stats + nodes;
    pass->winner = pass->coef + nodes;
    return true;
}

/* The same pictures again in another segment: what is frozen is shared, what adapts is computed anew with the parameters of
 * that moment. */
static void again(ad_builder *b, const ad_pass *first, ad_pass *pass, ad_segment_id segment) {
    *pass = (ad_pass){.n = first->n, .frozen = segment, .live = segment, .batch_statistics = first->batch_statistics};
    if (!pass_begin(b, pass)) return;
    for (int i = 0; i < b->net->node_count; i++)
        if (!b->dirty[i]) pass->y[i] = first->y[i], pass->stats[i] = first->stats[i], pass->coef[i] = first->coef[i];
    ad_builder_forward(b, pass);
}

static int features_of(const ad_builder *b, const ad_pass *pass) { return pass->y[b->p->from_features ? 0 : b->net->node_count - 1]; }

/* ---- heads -------------------------------------------------------------------------------------------------------- */

typedef struct head_pass {
    int x, weights; /* what LINEAR multiplies: features and head, or their unit vectors */
    int x_inverse, w_inverse, logits;
} head_pass;

static head_pass head_forward(ad_builder *b, ad_segment_id frozen, ad_segment_id live, int n, int features, bool features_live) {
    const ad_build_params *p = b->p;
    const int f = b->net->features, way = p->way;
    head_pass h = {.x = features, .weights = b->out->head, .x_inverse = -1, .w_inverse = -1};
    bool cosine = p->head == AD_HEAD_COSINE || p->head == AD_HEAD_CENTROID_COSINE;
    if (cosine) {
        h.x = ad_builder_tensor(b, "unit features", AD_F32, (size_t)n * f, true);
        h.x_inverse = ad_builder_tensor(b, "feature norms", AD_F32, (size_t)n, true);
        simple(b, features_live ? live : frozen, AD_OP_ROW_NORM, n, f, 1, features, h.x, h.x_inverse, -1);
        h.weights = ad_builder_tensor(b, "unit head", AD_F32, (size_t)way * f, true);
        h.w_inverse = ad_builder_tensor(b, "head norms", AD_F32, (size_t)way, true);
        simple(b, live, AD_OP_ROW_NORM, way, f, 1, b->out->head, h.weights, h.w_inverse, -1);
    }
    h.logits = ad_builder_tensor(b, "logits", AD_F32, (size_t)n * way, true);
    ad_op *op = simple(b, live, AD_OP_LINEAR, n, f, way, h.x, h.weights, cosine ? -1 : b->out->head_bias, h.logits);
    op->f[0] = p->head == AD_HEAD_COSINE ? p->cosine_scale : 1.0f;
    return h;
}

static void head_backward(ad_builder *b, const head_pass *h, int n, int dlogits, bool below) {
    const ad_build_params *p = b->p;
    const int f = b->net->features, way = p->way;
    const ad_segment_id s = AD_SEGMENT_STEP;
    const size_t at = b->out->role_offset[AD_ROLE_HEAD];
    const bool cosine = p->head == AD_HEAD_COSINE;
    int gradient = b->out->adapted + (p->adam ? 3 : 2); /* laid down in this order by lay_adapted */
    int dhead = ad_builder_view(b, gradient, "head gradient", at, (size_t)way * f);
    int dbias = cosine ? -1 : ad_builder_view(b, gradient, "head bias gradient", at + ad_builder_round((size_t)way * f), (size_t)way);
    int dw = cosine ? ad_builder_tensor(b, "unit head gradient", AD_F32, (size_t)way * f, true) : dhead;
    ad_op *op = simple(b, s, AD_OP_LINEAR_DW, n, f, way, h->x, dlogits, dw, dbias);
    op->f[0] = cosine ? p->cosine_scale : 1.0f;
    if (cosine) simple(b, s, AD_OP_ROW_NORM_BACK, way, f, 1, h->weights, h->w_inverse, dw, dhead);
    if (!below) return;
    int dfeatures = ad_builder_tensor(b, "feature gradient", AD_F32, (size_t)n * f, true);
    int dx = cosine ? ad_builder_tensor(b, "unit feature gradient", AD_F32, (size_t)n * f, true) : dfeatures;
    op = simple(b, s, AD_OP_LINEAR_DX, n, f, way, dlogits, h->weights, dx, -1);
    op->f[0] = cosine ? p->cosine_scale : 1.0f;
    if (cosine) simple(b, s, AD_OP_ROW_NORM_BACK, n, f, 1, h->x, h->x_inverse, dx, dfeatures);
    b->grad[b->net->node_count - 1] = dfeatures;
}

/* The head from the class means of the support features: the centroid's own, or where the trained head starts. */
static void head_from_means(ad_builder *b, int n, int features) {
    const ad_build_params *p = b->p;
    const int f = b->net->features, way = p->way;
    const ad_segment_id s = AD_SEGMENT_PREFIX;
    bool centroid = p->head == AD_HEAD_CENTROID || p->head == AD_HEAD_CENTROID_COSINE;
    if (centroid) b->out->head = ad_builder_tensor(b, "centroids", AD_F32, (size_t)way * f, true);
    if (p->head == AD_HEAD_COSINE || p->head == AD_HEAD_CENTROID_COSINE) {
        simple(b, s, AD_OP_CLASS_MEAN, n, f, way, features, b->out->support_labels, b->out->head, -1);
        return;
    }
    if (centroid) b->out->head_bias = ad_builder_tensor(b, "centroid bias", AD_F32, (size_t)way, true);
    int means = ad_builder_tensor(b, "class means", AD_F32, (size_t)way * f, true);
    simple(b, s, AD_OP_CLASS_MEAN, n, f, way, features, b->out->support_labels, means, -1);
    int rows = means;
    if (!centroid) { /* by their directions: the length of few pictures' mean says more of the pictures than of the class */
        rows = ad_builder_tensor(b, "unit means", AD_F32, (size_t)way * f, true);
        int inverse = ad_builder_tensor(b, "mean norms", AD_F32, (size_t)way, true);
        simple(b, s, AD_OP_ROW_NORM, way, f, 1, means, rows, inverse, -1);
    }
    ad_op *op = simple(b, s, AD_OP_MEAN_HEAD, n, f, way, rows, b->out->head, b->out->head_bias, -1);
    op->f[0] = centroid ? 2.0f : p->mean_scale;
}

static void update_part(ad_builder *b, size_t begin, size_t end, int column, float decay) {
    const ad_build_params *p = b->p;
    const ad_built *out = b->out;
    const size_t count = end - begin;
    if (count == 0 || b->status != ADATOM_OK) return;
    const int value = ad_builder_view(b, out->adapted, "parameters", begin, count);
    const int gradient = ad_builder_view(b, out->adapted + (p->adam ? 3 : 2), "gradients", begin, count);
    const int first = ad_builder_view(b, out->velocity, "momentum", begin, count);
    ad_op *op = ad_builder_op(b, AD_SEGMENT_STEP, p->adam ? AD_OP_ADAM : AD_OP_SGD);
    int r = 0;
    op->t[r++] = (int16_t)value, op->t[r++] = (int16_t)gradient, op->t[r++] = (int16_t)first;
    if (p->adam) op->t[r++] = (int16_t)ad_builder_view(b, out->second, "second moment", begin, count);
    op->t[r++] = (int16_t)out->schedule, op->t[r++] = (int16_t)out->counter;
    op->g = (ad_geometry){.n = 1, .h = 1, .w = 1, .c = (int32_t)count, .k = 1};
    op->i[1] = column;
    op->f[0] = p->momentum, op->f[1] = p->dampening;
    if (p->adam)
        op->f[2] = 1e-8f, op->f[3] = decay;
    else
        op->f[2] = decay, op->i[0] = p->nesterov;
}

static void update(ad_builder *b) {
    const ad_build_params *p = b->p;
    const ad_built *out = b->out;
    const int column = AD_ROLE_STATISTICS; /* of low-rank adapters: statistics have no gradient */
    for (int role = 0; role < AD_ROLE_STATISTICS; role++)
        update_part(b, out->role_offset[role], out->role_offset[role + 1], role, p->weight_decay[role]);
    update_part(b, out->lowrank_offset, out->gains_offset, column, p->lowrank_decay);
    update_part(b, out->gains_offset, out->adapted_count, column, 0);
    simple(b, AD_SEGMENT_STEP, AD_OP_ADVANCE, 1, 1, 1, out->counter, -1, -1, -1)->tasks = 1;
}

/* ---- the whole ---------------------------------------------------------------------------------------------------- */

static void build_support(ad_builder *b, ad_pass *support) {
    const ad_build_params *p = b->p;
    ad_built *out = b->out;
    const int n = p->support, rounds = AD_MAX(p->support_rounds, 1);
    const size_t tasks = (size_t)p->tasks;
    const bool fresh = p->support_rounds > 0, trains = head_adapts(b) && p->steps > 0;
    out->support_index = tensor_in(b, b->arena_host, "support index", AD_I32, (size_t)rounds * tasks * (size_t)n, false);
    out->support_labels = tensor_in(b, b->arena_host, "support labels", AD_I32, (size_t)rounds * tasks * (size_t)n, false);
    *support = (ad_pass){.n = n,
                         .frozen = fresh ? AD_SEGMENT_STEP : AD_SEGMENT_PREFIX,
                         .live = AD_SEGMENT_STEP,
                         .batch_statistics = p->bn != AD_BN_FROZEN,
                         .wants_gradient = trains};
    if (!trains) support->live = AD_SEGMENT_PREFIX;
    if (!pass_begin(b, support)) return;
    support->y[0] = gather(b, support->frozen, n, out->support_index, rounds, fresh ? out->counter : -1, true);
    ad_builder_forward(b, support);
    const bool live = b->dirty[b->net->node_count - 1] && !p->from_features;
    if (!trains || p->head_init == AD_HEAD_MEANS) {
        ad_pass start = {0};
        int features = features_of(b, support);
        if (live && trains) {
            again(b, support, &start, AD_SEGMENT_PREFIX);
            if (b->status == ADATOM_OK) features = features_of(b, &start);
        }
        if (p->head != AD_HEAD_NONE) head_from_means(b, n, features);
        ad_free(start.y);
    }
    if (!trains || b->status != ADATOM_OK) return;

    head_pass h = head_forward(b, support->frozen, AD_SEGMENT_STEP, n, features_of(b, support), live);
    int dlogits = ad_builder_tensor(b, "logit gradient", AD_F32, (size_t)n * p->way, true);
    out->loss = tensor_in(b, b->arena_host, "loss", AD_F32, (size_t)rounds * tasks, false);
    if (fresh) out->support_predicted = tensor_in(b, b->arena_host, "support predicted", AD_I32, (size_t)rounds * tasks * (size_t)n, false);
    ad_op *op =
        simple(b, AD_SEGMENT_STEP, AD_OP_SOFTMAX_CE, n, 1, p->way, h.logits, out->support_labels, fresh ? out->counter : -1, out->loss);
    op->t[4] = (int16_t)dlogits, op->t[5] = (int16_t)out->support_predicted;
    op->f[0] = p->label_smoothing;
    op->i[7] = rounds;
    head_backward(b, &h, n, dlogits, live);
    if (live) ad_builder_backward(b, support);
    update(b);
}

/* The support set's statistics, tensors per node, where the host can read them: laid out as the network's role. */
static void keep_statistics(ad_builder *b, const int *stats) {
    const size_t begin = b->net->role_begin[AD_ROLE_STATISTICS], end = b->net->role_begin[AD_ROLE_STATISTICS + 1];
    b->out->statistics = tensor_in(b, b->arena_host, "statistics", AD_F32, end - begin, true);
    for (int i = 0; i < b->net->node_count && b->status == ADATOM_OK; i++) {
        const ad_node *node = &b->net->nodes[i];
        if (node->kind != AD_NODE_NORM) continue;
        int part = ad_builder_view(b, b->out->statistics, node->name, b->net->params[node->statistics].offset - begin, 2 * (size_t)node->c);
        simple(b, AD_SEGMENT_EVAL, AD_OP_COPY, 1, 2 * node->c, 1, stats[i], part, -1, -1);
    }
}

static void build_query(ad_builder *b, const ad_pass *support) {
    const ad_build_params *p = b->p;
    ad_built *out = b->out;
    const int n = p->query, rounds = AD_MAX(p->query_rounds, 1);
    const size_t tasks = (size_t)p->tasks;
    out->query_index = tensor_in(b, b->arena_host, "query index", AD_I32, (size_t)rounds * tasks * (size_t)n, false);
    out->eval_counter = tensor_in(b, b->arena_host, "eval counter", AD_I32, 1, false);
    ad_pass refreshed = {0},
            query = {.n = n, .frozen = AD_SEGMENT_EVAL, .live = AD_SEGMENT_EVAL, .batch_statistics = p->bn == AD_BN_TRANSDUCTIVE};
    if (p->bn == AD_BN_SUPPORT && !p->from_features) {
        again(b, support, &refreshed, AD_SEGMENT_EVAL); /* the statistics under the adapted parameters */
        query.statistics_of = refreshed.stats;
        keep_statistics(b, refreshed.stats);
    }
    if (b->status == ADATOM_OK && pass_begin(b, &query)) {
        query.y[0] = gather(b, AD_SEGMENT_EVAL, n, out->query_index, rounds, out->eval_counter, false);
        ad_builder_forward(b, &query);
        if (p->head == AD_HEAD_NONE) {
            out->features = tensor_in(b, b->arena_host, "features", AD_F32, (size_t)n * b->net->features, true);
            simple(b, AD_SEGMENT_EVAL, AD_OP_COPY, 1, n * b->net->features, 1, features_of(b, &query), out->features, -1, -1);
        } else {
            head_pass h = head_forward(b, AD_SEGMENT_EVAL, AD_SEGMENT_EVAL, n, features_of(b, &query), true);
            out->query_predicted = tensor_in(b, b->arena_host, "predicted", AD_I32, (size_t)rounds * tasks * (size_t)n, false);
            ad_op *op = simple(b, AD_SEGMENT_EVAL, AD_OP_SOFTMAX_CE, n, 1, p->way, h.logits, -1, out->eval_counter, -1);
            op->t[5] = (int16_t)out->query_predicted;
            op->i[7] = rounds;
        }
        simple(b, AD_SEGMENT_EVAL, AD_OP_ADVANCE, 1, 1, 1, out->eval_counter, -1, -1, -1)->tasks = 1;
    }
    ad_free(query.y);
    ad_free(refreshed.y);
}

static void finish(ad_builder *b) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        for (int i = 0; i < b->lists[s].count && b->status == ADATOM_OK; i++) {
            ad_op *op = ad_plan_op(b->ctx, b->plan, (ad_segment_id)s, b->lists[s].ops[i].kind);
            if (op)
                *op = b->lists[s].ops[i];
            else
                keep(b, ADATOM_OUT_OF_MEMORY);
        }
    b->plan->eval_between = b->p->eval_between;
    if (b->status == ADATOM_OK) keep(b, ad_plan_place(b->ctx, b->plan, b->arena_work));
    if (b->status == ADATOM_OK) keep(b, ad_plan_validate(b->ctx, b->plan));
}

static bool begin(ad_builder *b) {
    const size_t params = (size_t)b->net->param_count, nodes = (size_t)b->net->node_count;
    const size_t adapters = sizeof(ad_lowrank_node) / sizeof(int);
    const size_t ints = 3 * params + (2 * AD_SEGMENT_COUNT + 2 + adapters) * nodes;
    b->plan = b->out->plan = ad_plan_create(b->ctx, b->p->tasks);
    if (b->plan) b->plan->lanes = b->p->lanes, b->plan->through = b->p->through;
    b->storage = ad_malloc(b->ctx, ints, sizeof(int));
    b->dirty = ad_calloc(b->ctx, nodes, sizeof(bool));
    b->gradient_written = ad_calloc(b->ctx, params, sizeof(bool));
    if (!b->plan || !b->storage || !b->dirty || !b->gradient_written) return false;
    memset(b->storage, 0xff, ints * sizeof(int));
    int *at = b->storage;
    b->base = at, at += params;
    b->adapted = at, at += params;
    b->gradient = at, at += params;
    b->folded = at, at += nodes;
    b->grad = at, at += nodes;
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) {
        b->composed[s] = at, at += nodes;
        b->packed[s] = at, at += nodes;
    }
    b->lowrank = (ad_lowrank_node *)at;
    for (int a = 0; a < 1 + b->p->chunk_count; a++)
        if (ad_plan_arena(b->ctx, b->plan, true) < 0) return false;
    b->arena_host = ad_plan_arena(b->ctx, b->plan, false);
    b->arena_constant = ad_plan_arena(b->ctx, b->plan, false);
    b->arena_adapted = ad_plan_arena(b->ctx, b->plan, false);
    b->arena_work = ad_plan_arena(b->ctx, b->plan, false);
    return b->arena_work >= 0;
}

adatom_status ad_build(adatom_context *ctx, const ad_build_params *p, ad_built *out) {
    *out = (ad_built){.support_index = -1,
                      .support_labels = -1,
                      .query_index = -1,
                      .schedule = -1,
                      .counter = -1,
                      .eval_counter = -1,
                      .norm = -1,
                      .support_predicted = -1,
                      .loss = -1,
                      .query_predicted = -1,
                      .features = -1,
                      .adapted = -1,
                      .velocity = -1,
                      .second = -1,
                      .statistics = -1,
                      .head = -1,
                      .head_bias = -1};
    ad_builder b = {.ctx = ctx, .p = p, .net = p->net, .out = out};
    ad_pass support = {0};
    b.status = ad_builder_path_check(&b);
    if (b.status == ADATOM_OK) b.status = ad_builder_lowrank_check(&b);
    if (b.status == ADATOM_OK && !begin(&b)) b.status = ADATOM_OUT_OF_MEMORY;
    if (b.status == ADATOM_OK) {
        lay_base(&b);
        lay_data(&b);
        if (p->steps > 0) {
            out->schedule = tensor_in(&b, b.arena_host, "schedule", AD_F32, 8 * (size_t)p->steps, false);
            out->counter = tensor_in(&b, b.arena_host, "step", AD_I32, 1, false);
        }
        lay_adapted(&b);
        mark_dirty(&b);
    }
    if (b.status == ADATOM_OK && p->support > 0) build_support(&b, &support);
    if (b.status == ADATOM_OK && p->query > 0) build_query(&b, &support);
    if (b.status == ADATOM_OK) finish(&b);
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) ad_free(b.lists[s].ops);
    ad_free(support.y);
    ad_free(b.storage);
    ad_free(b.dirty);
    ad_free(b.gradient_written);
    if (b.status != ADATOM_OK) ad_built_clear(out);
    return b.status;
}

void ad_built_clear(ad_built *built) {
    ad_plan_destroy(&built->plan);
    ad_free(built->lowrank);
    built->lowrank = NULL;
    built->lowrank_count = 0;
}
