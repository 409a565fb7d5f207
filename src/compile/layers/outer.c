/* Meta-training: the gradient of what all tasks share, one a task, laid out as the base parameters are; its sum over
 * tasks; the update. The statistics of norms have a place in it, too, so that their mean over tasks is the same sum. */
#include "compile/layers/layers.h"

static int block(ad_tape *tape, ad_place place, const char *name) {
    return ad_tape_tensor(tape, place, name, AD_F32, tape->built->outer_count);
}

/* Whether tasks have what a role holds in common, or start from it. */
static bool has_outer(const ad_tape *tape, ad_role role) {
    const ad_build_params *p = tape->params;
    if (role != AD_ROLE_HEAD) return role != AD_ROLE_STATISTICS;
    return p->outer.kind != AD_OUTER_PROTOTYPES && ad_head_trains(tape) && p->head_init == AD_HEAD_BASE;
}

/* How far the steps went stands in place of the gradient. */
static bool by_difference(const ad_tape *tape, int number) {
    const bool head = tape->net->params[number].role == AD_ROLE_HEAD;
    return tape->params->outer.kind == AD_OUTER_DIFFERENCE && (head || tape->adapted[number] >= 0);
}

static void begin_param(ad_tape *tape, int number) {
    const ad_param *param = &tape->net->params[number];
    const bool outer = has_outer(tape, param->role) && !by_difference(tape, number);
    tape->adapts[number] = outer;
    tape->gradient_written[number] = false;
    tape->gradient[number] =
        outer || param->role == AD_ROLE_STATISTICS
            ? ad_tape_view(tape, tape->built->outer_gradient, param->name, param->offset, param->count)
            : -1;
}

void ad_outer_begin(ad_tape *tape) {
    const ad_build_params *p = tape->params;
    ad_built *out = tape->built;
    out->scale_offset = tape->net->role_begin[AD_ROLE_COUNT];
    out->outer_count = out->scale_offset + (p->outer.cosine ? ad_tape_round(1) : 0);
    out->outer_gradient = block(tape, AD_PLACE_ADAPTED, "outer gradient");
    out->outer_sum = block(tape, AD_PLACE_CONSTANT, "outer sum");
    out->outer_velocity = block(tape, AD_PLACE_CONSTANT, "outer velocity");
    if (p->outer.optimiser.adam) out->outer_second = block(tape, AD_PLACE_CONSTANT, "outer second moment");
    if (p->outer.cosine) out->scale = ad_tape_tensor(tape, AD_PLACE_CONSTANT, "scale", AD_F32, 1);
    const size_t schedule = AD_SCHEDULE_COLUMNS * (size_t)p->outer.steps;
    out->outer_schedule = ad_tape_tensor(tape, AD_PLACE_HOST, "outer schedule", AD_F32, schedule);
    out->outer_counter = ad_tape_tensor(tape, AD_PLACE_HOST, "outer step", AD_I32, 1);
    if (tape->status != ADATOM_OK) return;
    ad_elementwise_zero(tape, AD_SEGMENT_INIT, out->outer_gradient, out->outer_count);
    for (int i = 0; i < tape->net->param_count && tape->status == ADATOM_OK; i++) begin_param(tape, i);
}

/* Adds what the tasks have to the sum of their step's mean. */
static void sum(ad_tape *tape) {
    const ad_built *out = tape->built;
    ad_op *op = ad_tape_op(tape, AD_SEGMENT_SUM, AD_OP_TASK_SUM, ad_geometry_rows(1, (int)out->outer_count, 1),
                           AD_OPERANDS(out->outer_gradient, out->outer_sum));
    op->tasks = 1;
    op->flags = AD_ACCUMULATE;
    op->i[0] = tape->params->tasks;
    op->f[0] = 1.0f / (float)tape->params->outer.tasks;
}

/* The parameter less what the task made of it: exactly zero where the steps left it as it was. */
static void difference(ad_tape *tape, int number) {
    const ad_param *param = &tape->net->params[number];
    const ad_built *out = tape->built;
    const bool head = param->role == AD_ROLE_HEAD;
    const int end = !head ? tape->adapted[number] : param->kind == AD_PARAM_HEAD ? out->head : out->head_bias;
    if (end < 0 || !has_outer(tape, param->role)) return;
    const size_t count = head ? param->logical : param->count;
    const int view = ad_tape_view(tape, out->outer_gradient, "difference", param->offset, count);
    ad_op *op = ad_tape_op(tape, AD_SEGMENT_OUTER, AD_OP_ADD, ad_geometry_rows(1, (int)count, 1),
                           AD_OPERANDS(tape->base[number], end, view));
    op->i[0] = 1;
}

/* The mean over tasks of their batches' statistics goes into the running ones. */
static void running_statistics(ad_tape *tape, int pictures) {
    for (int i = 0; i < tape->net->node_count; i++) {
        const ad_node *node = &tape->net->nodes[i];
        if (node->kind != AD_NODE_NORM || node->statistics < 0) continue;
        const ad_param *param = &tape->net->params[node->statistics];
        const int stats = ad_tape_view(tape, tape->built->outer_sum, "statistics", param->offset, param->count);
        ad_norm_running(tape, AD_SEGMENT_UPDATE, i, pictures, stats)->tasks = 1;
    }
}

void ad_outer_finish(ad_tape *tape, int pictures) {
    const ad_network *net = tape->net;
    const ad_outer *outer = &tape->params->outer;
    const ad_built *out = tape->built;
    ad_update update = {.how = &outer->optimiser,
                        .segment = AD_SEGMENT_UPDATE,
                        .value = tape->parameters,
                        .gradient = out->outer_sum,
                        .first = out->outer_velocity,
                        .second = out->outer_second,
                        .schedule = out->outer_schedule,
                        .counter = out->outer_counter,
                        .shared = true};
    for (int i = 0; i < net->param_count && tape->status == ADATOM_OK; i++)
        if (by_difference(tape, i)) difference(tape, i);
    sum(tape);
    if (tape->params->bn == AD_BN_TRAIN) running_statistics(tape, pictures);
    for (int role = 0; role < AD_ROLE_STATISTICS; role++)
        if (has_outer(tape, (ad_role)role))
            ad_optimiser_update(tape, &update, net->role_begin[role], net->role_begin[role + 1],
                                ad_rate_of((ad_role)role), outer->optimiser.weight_decay[role]);
    if (outer->cosine) {
        update.value = out->scale;
        update.value_begin = out->scale_offset;
        ad_optimiser_update(tape, &update, out->scale_offset, out->scale_offset + 1, AD_RATE_HEAD, 0);
    }
    ad_elementwise_zero(tape, AD_SEGMENT_UPDATE, out->outer_sum, out->outer_count)->tasks = 1;
    ad_optimiser_advance(tape, AD_SEGMENT_UPDATE, out->outer_counter);
}
