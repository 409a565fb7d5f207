/* Which layer goes into which segment. INIT: once per program; PREFIX: once per set of tasks, what no step changes;
 * STEP: forward, loss, backward and update of the support set; EVAL: the queries. Of meta-training
 * OUTER: forward, loss and backward of the queries; SUM: over tasks; UPDATE: of what all tasks share. */
#include "compile/layers/layers.h"

#define LAYER_ROW(KIND, name) [AD_NODE_##KIND] = &ad_layer_##name,
static const ad_layer *const layers[] = {AD_LAYERS(LAYER_ROW)};
#undef LAYER_ROW

static const ad_layer *layer_of(const ad_tape *tape, int node) { return layers[tape->net->nodes[node].kind]; }

/* Refuses what cannot be built. */
static void check(ad_tape *tape) {
    const ad_build_params *p = tape->params;
    if (tape->status != ADATOM_OK) return;
    if (p->bn == AD_BN_SUPPORT && p->support == 0 && p->query > 0 && !p->from_features)
        ad_tape_fail(tape, ad_fail(tape->ctx, ADATOM_USAGE,
                                   "statistics of the support set are asked for, and the plan has no support set"));
    for (size_t kind = 0; kind < AD_COUNT(layers) && tape->status == ADATOM_OK; kind++)
        if (layers[kind] && layers[kind]->check) ad_tape_fail(tape, layers[kind]->check(tape));
}

/* Finds the nodes whose output depends on something that adapts. */
static void mark_live(ad_tape *tape) {
    if (tape->params->from_features) return;
    for (int i = 1; i < tape->net->node_count; i++) {
        const ad_node *node = &tape->net->nodes[i];
        tape->live[i] = tape->live[node->input] || (node->residual >= 0 && tape->live[node->residual]) ||
                        (node->gate >= 0 && tape->live[node->gate]) ||
                        (layer_of(tape, i)->adapts && layer_of(tape, i)->adapts(tape, i));
    }
}

/* Makes the outputs that the pass does not have yet. */
static void forward(ad_tape *tape, ad_pass *pass) {
    for (int i = 1; i < tape->net->node_count && !tape->params->from_features && tape->status == ADATOM_OK; i++)
        if (pass->y[i] < 0) {
            layer_of(tape, i)->forward(tape, pass, i);
            ad_regular_drop(tape, pass, i);
        }
}

/* Takes the last node's gradient down to the lowest adapted tensor. */
static void backward(ad_tape *tape, ad_pass *pass) {
    for (int i = tape->net->node_count - 1; i > 0 && tape->status == ADATOM_OK; i--)
        if (tape->live[i] && pass->dy[i] >= 0) {
            ad_regular_drop_back(tape, pass, i);
            layer_of(tape, i)->backward(tape, pass, i);
        }
}

/* Makes a pass of the same pictures in another segment: it shares what is frozen and computes anew what is live, with
 * the parameters of that moment. */
static void forward_again(ad_tape *tape, const ad_pass *first, ad_pass *pass, ad_segment_id segment) {
    *pass = (ad_pass){.n = first->n, .frozen = segment, .live = segment, .batch_statistics = first->batch_statistics};
    if (!ad_pass_begin(tape, pass)) return;
    for (int i = 0; i < tape->net->node_count; i++) {
        if (tape->live[i]) continue;
        pass->y[i] = first->y[i];
        for (int slot = 0; slot < AD_KEPT_SLOTS; slot++) pass->kept[i][slot] = first->kept[i][slot];
    }
    forward(tape, pass);
}

/* Makes the head of class means, where it is made of them or starts from them. Where the support pass is in the step
 * segment (trains), the features at the start are computed before it. */
static void start_head(ad_tape *tape, const ad_pass *support, bool trains) {
    ad_pass start = {0};
    const ad_pass *pass = support;
    if (tape->params->head == AD_HEAD_NONE || (trains && tape->params->head_init != AD_HEAD_MEANS)) return;
    if (trains && tape->live[tape->net->node_count - 1]) {
        forward_again(tape, support, &start, AD_SEGMENT_PREFIX);
        pass = &start;
    }
    if (tape->status == ADATOM_OK) ad_head_from_means(tape, support->n, ad_pass_features(tape, pass));
    ad_pass_clear(&start);
}

/* The numbers by which so many pictures are augmented; -1: by step and place. */
static int draws(ad_tape *tape, size_t rows) {
    return tape->params->drawn ? ad_tape_tensor(tape, AD_PLACE_HOST, "draws", AD_I32, rows) : -1;
}

/* The support set: gather and frozen nodes, the head's start and, where the head trains, the whole step. */
static void build_support(ad_tape *tape, ad_pass *support) {
    const ad_build_params *p = tape->params;
    ad_built *out = tape->built;
    const bool fresh = p->support_rounds > 0, trains = ad_head_trains(tape) && p->steps > 0;
    ad_batch batch = {.n = p->support, .rounds = AD_MAX(p->support_rounds, 1), .augmented = true};
    const size_t rows = (size_t)batch.rounds * (size_t)p->tasks * (size_t)batch.n;
    batch.index = out->support_index = ad_tape_tensor(tape, AD_PLACE_HOST, "support index", AD_I32, rows);
    batch.labels = out->support_labels = ad_tape_tensor(tape, AD_PLACE_HOST, "support labels", AD_I32, rows);
    batch.counter = fresh ? out->counter : -1;
    batch.draw = out->support_draw = draws(tape, rows);
    *support = (ad_pass){.n = p->support,
                         .frozen = fresh ? AD_SEGMENT_STEP : AD_SEGMENT_PREFIX,
                         .live = trains || p->logits ? AD_SEGMENT_STEP : AD_SEGMENT_PREFIX,
                         .batch_statistics = p->bn != AD_BN_FROZEN,
                         .wants_gradient = trains};
    if (!ad_pass_begin(tape, support)) return;
    support->y[0] = ad_regular_mix(tape, support->frozen, &batch, ad_gather(tape, support->frozen, &batch));
    forward(tape, support);
    if (p->logits && tape->status == ADATOM_OK) ad_regular_logits(tape, support);
    if (!p->logits) start_head(tape, support, trains);
    if (!trains || tape->status != ADATOM_OK) return;
    const ad_head_pass head = ad_head_forward(tape, support);
    out->loss = ad_tape_tensor(tape, AD_PLACE_HOST, "loss", AD_F32, (size_t)batch.rounds * (size_t)p->tasks);
    if (fresh) out->support_predicted = ad_tape_tensor(tape, AD_PLACE_HOST, "support predicted", AD_I32, rows);
    ad_head_backward(tape, support, &head,
                     ad_head_loss(tape, support, &head, &batch, out->loss, out->support_predicted));
    ad_regular_turned(tape, support);
    backward(tape, support);
    ad_optimiser_step(tape);
    ad_regular_average(tape);
    ad_optimiser_advance(tape, AD_SEGMENT_STEP, out->counter);
}

/* Meta-training: forward, loss and backward of what all tasks share, with what the steps led to; the sum over tasks and
 * the update. */
static void build_outer(ad_tape *tape) {
    const ad_build_params *p = tape->params;
    ad_built *out = tape->built;
    const bool prototypes = p->outer.kind == AD_OUTER_PROTOTYPES;
    const int n = prototypes ? p->support : p->query;
    const size_t rows = (size_t)p->tasks * (size_t)n;
    const int index = ad_tape_tensor(tape, AD_PLACE_HOST, "index", AD_I32, rows);
    if (prototypes) {
        out->support_index = index;
        out->support_labels = ad_tape_tensor(tape, AD_PLACE_HOST, "support labels", AD_I32, rows);
    } else {
        out->query_index = index;
    }
    out->outer_labels = ad_tape_tensor(tape, AD_PLACE_HOST, "labels", AD_I32, rows);
    out->outer_loss = ad_tape_tensor(tape, AD_PLACE_HOST, "loss", AD_F32, (size_t)p->tasks);
    out->outer_predicted = ad_tape_tensor(tape, AD_PLACE_HOST, "predicted", AD_I32, rows);
    const ad_batch batch = {.n = n,
                            .rounds = 1,
                            .index = index,
                            .labels = out->outer_labels,
                            .counter = -1,
                            .augmented = true,
                            .draw = draws(tape, rows)};
    if (prototypes)
        out->support_draw = batch.draw;
    else
        out->query_draw = batch.draw;
    ad_pass pass = {.n = n,
                    .frozen = AD_SEGMENT_OUTER,
                    .live = AD_SEGMENT_OUTER,
                    .batch_statistics = p->bn != AD_BN_FROZEN,
                    .wants_gradient = true};
    if (ad_pass_begin(tape, &pass)) {
        pass.y[0] = ad_gather(tape, AD_SEGMENT_OUTER, &batch);
        forward(tape, &pass);
    }
    if (tape->status == ADATOM_OK) {
        const int means = out->support_labels;
        const ad_head_pass head = prototypes ? ad_prototypes_forward(tape, &pass, means) : ad_head_forward(tape, &pass);
        const int dlogits = ad_head_loss(tape, &pass, &head, &batch, out->outer_loss, out->outer_predicted);
        if (prototypes)
            ad_prototypes_backward(tape, &pass, &head, means, dlogits);
        else
            ad_head_backward(tape, &pass, &head, dlogits);
        backward(tape, &pass);
        ad_outer_finish(tape, n);
    }
    ad_pass_clear(&pass);
}

/* From the features of pictures and of as many mirror images to their means, in the place of the former. */
static void average_mirrored(ad_tape *tape, ad_pass *pass) {
    const int features = ad_pass_features(tape, pass);
    pass->n /= 2;
    const size_t count = (size_t)pass->n * (size_t)tape->net->features;
    const int mirrored = ad_tape_floats(tape, "mirrored", count);
    ad_elementwise_copy_from(tape, pass->live, features, count, mirrored, count);
    ad_elementwise_blend(tape, pass->live, mirrored, features, count, 0.5f);
}

/* The queries: predictions, or features where there is no head. */
static void build_query(ad_tape *tape, const ad_pass *support) {
    const ad_build_params *p = tape->params;
    ad_built *out = tape->built;
    ad_batch batch = {.n = p->query, .rounds = AD_MAX(p->query_rounds, 1), .labels = -1};
    const size_t rows = (size_t)batch.rounds * (size_t)p->tasks * (size_t)batch.n;
    batch.index = out->query_index = ad_tape_tensor(tape, AD_PLACE_HOST, "query index", AD_I32, rows);
    batch.draw = out->query_draw = p->support ? -1 : draws(tape, rows);
    batch.augmented = batch.draw >= 0;
    batch.mirrored = p->mirror && !p->from_features; /* a table of features holds the means */
    batch.counter = out->eval_counter = ad_tape_tensor(tape, AD_PLACE_HOST, "eval counter", AD_I32, 1);
    ad_pass refreshed = {0};
    ad_pass query = {.n = batch.mirrored ? 2 * p->query : p->query,
                     .frozen = AD_SEGMENT_EVAL,
                     .live = AD_SEGMENT_EVAL,
                     .batch_statistics = p->bn == AD_BN_TRANSDUCTIVE};
    if (p->bn == AD_BN_SUPPORT && !p->from_features) { /* the support set's statistics under the adapted parameters */
        forward_again(tape, support, &refreshed, AD_SEGMENT_EVAL);
        query.statistics_of = &refreshed;
        if (tape->status == ADATOM_OK) ad_norm_keep_statistics(tape, &refreshed);
    }
    if (ad_pass_begin(tape, &query)) {
        query.y[0] = ad_gather(tape, AD_SEGMENT_EVAL, &batch);
        forward(tape, &query);
    }
    if (tape->status == ADATOM_OK && batch.mirrored) average_mirrored(tape, &query);
    if (tape->status == ADATOM_OK && p->head == AD_HEAD_NONE) {
        ad_head_features(tape, ad_pass_features(tape, &query), query.n);
    } else if (tape->status == ADATOM_OK) {
        const ad_head_pass head = ad_head_forward(tape, &query);
        ad_head_predict(tape, &head, &batch);
        if (p->query_features) ad_head_features(tape, head.features, query.n);
    }
    ad_optimiser_advance(tape, AD_SEGMENT_EVAL, out->eval_counter);
    ad_pass_clear(&query);
    ad_pass_clear(&refreshed);
}

adatom_status ad_build(adatom_context *ctx, const ad_build_params *params, ad_built *out) {
    *out = (ad_built){.support_draw = -1,
                      .query_draw = -1,
                      .support_index = -1,
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
                      .gradient = -1,
                      .statistics = -1,
                      .head = -1,
                      .alignment = -1,
                      .mix = -1,
                      .teacher = -1,
                      .logits = -1,
                      .turned_labels = -1,
                      .turned_loss = -1,
                      .turned = -1,
                      .average = -1,
                      .average_statistics = -1,
                      .outer_gradient = -1,
                      .outer_sum = -1,
                      .outer_velocity = -1,
                      .outer_second = -1,
                      .outer_schedule = -1,
                      .outer_counter = -1,
                      .outer_labels = -1,
                      .outer_loss = -1,
                      .outer_predicted = -1,
                      .scale = -1,
                      .head_bias = -1};
    ad_tape tape;
    ad_pass support = {0};
    ad_tape_begin(&tape, ctx, params, out);
    check(&tape);
    if (tape.status == ADATOM_OK) {
        ad_gather_begin(&tape);
        ad_optimiser_begin(&tape);
        ad_adapted_begin(&tape);
        mark_live(&tape);
    }
    const ad_outer_kind outer = params->outer.kind;
    if (tape.status == ADATOM_OK && params->support > 0 && outer != AD_OUTER_PROTOTYPES) build_support(&tape, &support);
    if (tape.status == ADATOM_OK && params->query > 0 && outer == AD_OUTER_NONE) build_query(&tape, &support);
    if (tape.status == ADATOM_OK && outer != AD_OUTER_NONE) {
        ad_outer_begin(&tape);
        mark_live(&tape);
        build_outer(&tape);
    }
    if (tape.status == ADATOM_OK) ad_tape_finish(&tape);
    ad_pass_clear(&support);
    ad_tape_clear(&tape);
    if (tape.status != ADATOM_OK) ad_built_clear(out);
    return tape.status;
}

void ad_built_clear(ad_built *built) {
    ad_plan_destroy(&built->plan);
    ad_free(built->at);
    ad_free(built->lowrank);
    built->at = NULL;
    built->lowrank = NULL;
    built->lowrank_count = 0;
}
