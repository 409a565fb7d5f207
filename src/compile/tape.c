#include "compile/tape.h"

#include <string.h>

void ad_tape_fail(ad_tape *tape, adatom_status status) {
    if (tape->status == ADATOM_OK) tape->status = status;
}

/* ---- tensors ---------------------------------------------------------------------------------------------------- */

static int add_tensor(ad_tape *tape, int arena, const char *name, ad_type type, size_t count, bool tasked) {
    if (tape->status != ADATOM_OK) return -1;
    if (tape->plan->tensor_count > INT16_MAX) { /* ad_op.t */
        ad_tape_fail(tape, ad_fail(tape->ctx, ADATOM_FAILED, "the plan needs more than %d tensors", INT16_MAX + 1));
        return -1;
    }
    const int tensor = ad_plan_tensor(tape->ctx, tape->plan, name, type, arena, count, tasked);
    if (tensor < 0) ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
    return tensor;
}

int ad_tape_tensor(ad_tape *tape, ad_place place, const char *name, ad_type type, size_t count) {
    const bool tasked = place != AD_PLACE_HOST && place != AD_PLACE_CONSTANT;
    return add_tensor(tape, tape->arenas[place], name, type, count, tasked);
}

int ad_tape_floats(ad_tape *tape, const char *name, size_t count) {
    return ad_tape_tensor(tape, AD_PLACE_WORK, name, AD_F32, count);
}

int ad_tape_external(ad_tape *tape, int arena, const char *name, ad_type type, size_t count) {
    return add_tensor(tape, arena, name, type, count, false);
}

int ad_tape_view(ad_tape *tape, int block, const char *name, size_t offset, size_t count) {
    if (tape->status != ADATOM_OK) return -1;
    const int arena = tape->plan->tensors[block].arena;
    if (arena == tape->arenas[AD_PLACE_WORK]) {
        ad_tape_fail(tape, ad_fail(tape->ctx, ADATOM_FAILED, "the plan has a view of '%s', which has no place yet",
                                   tape->plan->tensors[block].name));
        return -1;
    }
    const int tensor = add_tensor(tape, arena, name, AD_F32, 0, false);
    if (tensor < 0) return -1;
    ad_tensor *view = &tape->plan->tensors[tensor];
    const ad_tensor *whole = &tape->plan->tensors[block];
    view->offset = whole->offset + offset * sizeof(float);
    view->count = count;
    view->stride = whole->stride;
    return tensor;
}

int *ad_tape_made(ad_tape *tape, ad_segment_id segment, int node, int slot) {
    return &tape->made[((int)segment * tape->net->node_count + node) * AD_MADE_SLOTS + slot];
}

/* ---- parameters ------------------------------------------------------------------------------------------------- */

bool ad_tape_adapts(const ad_tape *tape, int param) { return param >= 0 && tape->adapts[param]; }

int ad_tape_param(const ad_tape *tape, int param) {
    return tape->adapted[param] >= 0 ? tape->adapted[param] : tape->base[param];
}

int ad_tape_gradient(ad_tape *tape, int param, uint16_t *flags) {
    if (flags) *flags = tape->gradient_written[param] ? AD_ACCUMULATE : 0;
    tape->gradient_written[param] = true;
    return tape->gradient[param];
}

/* Base parameters as they lie in the model's arena. */
static void lay_base(ad_tape *tape) {
    const ad_network *net = tape->net;
    for (int i = 0; i < net->param_count && tape->status == ADATOM_OK; i++) {
        const ad_param *param = &net->params[i];
        tape->base[i] = ad_tape_external(tape, 0, param->name, AD_F32, param->count);
        if (tape->base[i] >= 0) tape->plan->tensors[tape->base[i]].offset = param->offset * sizeof(float);
    }
    tape->parameters = ad_tape_external(tape, 0, "parameters", AD_F32, net->role_begin[AD_ROLE_COUNT]);
    if (tape->parameters >= 0) tape->plan->tensors[tape->parameters].offset = 0;
    tape->plan->arenas[0].bytes = net->role_begin[AD_ROLE_COUNT] * sizeof(float);
}

/* ---- operations ------------------------------------------------------------------------------------------------- */

ad_op *ad_tape_op(ad_tape *tape, ad_segment_id segment, ad_op_kind kind, ad_geometry g, ad_operands operands) {
    ad_op_list *list = &tape->segments[segment];
    if (tape->status == ADATOM_OK && list->count == list->capacity) {
        const int capacity = list->capacity ? 2 * list->capacity : 64;
        ad_op *grown = ad_realloc(tape->ctx, list->ops, (size_t)list->count, (size_t)capacity, sizeof *grown);
        if (grown) {
            list->ops = grown;
            list->capacity = capacity;
        } else {
            ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        }
    }
    ad_op *op = tape->status == ADATOM_OK ? &list->ops[list->count++] : &tape->scratch;
    *op = (ad_op){.kind = (uint16_t)kind, .tasks = (int16_t)tape->params->tasks, .g = g};
    for (int r = 0; r < AD_OP_TENSORS; r++) op->t[r] = (int16_t)(r < operands.count ? operands.t[r] : -1);
    return op;
}

ad_geometry ad_geometry_node(const ad_node *node, int n) {
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
                         .group = node->group,
                         .groups = node->groups > 1 && !ad_node_depthwise(node) ? node->groups : 0};
}

ad_geometry ad_geometry_kernel(const ad_node *node, int n) {
    ad_geometry g = ad_geometry_node(node, n);
    if (node->groups > 1) g.c = node->channels;
    g.groups = 0;
    return g;
}

ad_geometry ad_geometry_pixels(int n, int h, int w, int c, int o) {
    return (ad_geometry){.n = n, .h = h, .w = w, .c = c, .oh = h, .ow = w, .o = o, .k = 1, .stride = 1, .dil = 1};
}

/* ---- passes ----------------------------------------------------------------------------------------------------- */

bool ad_pass_begin(ad_tape *tape, ad_pass *pass) {
    const size_t nodes = (size_t)tape->net->node_count, numbers = (2 + AD_KEPT_SLOTS + AD_DROPPED_SLOTS) * nodes;
    if (tape->status != ADATOM_OK) return false;
    pass->y = ad_malloc(tape->ctx, numbers, sizeof *pass->y);
    if (!pass->y) {
        ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        return false;
    }
    memset(pass->y, 0xff, numbers * sizeof *pass->y);
    pass->dy = pass->y + nodes;
    pass->kept = (int(*)[AD_KEPT_SLOTS])(pass->dy + nodes);
    pass->dropped = (int(*)[AD_DROPPED_SLOTS])(pass->dy + (1 + AD_KEPT_SLOTS) * nodes);
    return true;
}

void ad_pass_clear(ad_pass *pass) {
    ad_free(pass->y);
    pass->y = pass->dy = NULL;
    pass->kept = NULL;
    pass->dropped = NULL;
}

ad_segment_id ad_pass_segment(const ad_tape *tape, const ad_pass *pass, int node) {
    return tape->live[node] ? pass->live : pass->frozen;
}

static size_t output_count(const ad_tape *tape, const ad_pass *pass, int number) {
    const ad_node *node = &tape->net->nodes[number];
    return (size_t)pass->n * (size_t)node->oh * (size_t)node->ow * (size_t)node->o;
}

int ad_pass_output(ad_tape *tape, ad_pass *pass, int node) {
    pass->y[node] = ad_tape_floats(tape, tape->net->nodes[node].name, output_count(tape, pass, node));
    return pass->y[node];
}

int ad_pass_gradient(ad_tape *tape, ad_pass *pass, int node, uint16_t *flags) {
    *flags = pass->dy[node] >= 0 ? AD_ACCUMULATE : 0;
    if (pass->dy[node] < 0) pass->dy[node] = ad_tape_floats(tape, "gradient", output_count(tape, pass, node));
    return pass->dy[node];
}

int ad_pass_features(const ad_tape *tape, const ad_pass *pass) {
    return pass->y[tape->params->from_features ? 0 : tape->net->node_count - 1];
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

/* Arrays per parameter, chunk and node: all numbers are -1. */
static bool make_arrays(ad_tape *tape) {
    const size_t params = (size_t)tape->net->param_count, nodes = (size_t)tape->net->node_count,
                 chunks = (size_t)tape->params->chunk_count, made = (size_t)AD_SEGMENT_COUNT * nodes * AD_MADE_SLOTS;
    const size_t numbers = 3 * params + chunks + made;
    tape->numbers = ad_malloc(tape->ctx, numbers, sizeof *tape->numbers);
    tape->live = ad_calloc(tape->ctx, nodes, sizeof *tape->live);
    tape->adapts = ad_calloc(tape->ctx, params, sizeof *tape->adapts);
    tape->gradient_written = ad_calloc(tape->ctx, params, sizeof *tape->gradient_written);
    if (!tape->numbers || !tape->live || !tape->adapts || !tape->gradient_written) return false;
    memset(tape->numbers, 0xff, numbers * sizeof *tape->numbers);
    tape->base = tape->numbers;
    tape->adapted = tape->base + params;
    tape->gradient = tape->adapted + params;
    tape->data = tape->gradient + params;
    tape->made = tape->data + chunks;
    for (size_t i = 0; i < params; i++)
        tape->adapts[i] = (tape->params->adapt >> tape->net->params[i].role & 1) &&
                          ad_layers_have(tape->net, tape->params->layers, (int)i);
    return true;
}

static bool make_arenas(ad_tape *tape) {
    for (int i = 0; i < 1 + tape->params->chunk_count; i++)
        if (ad_plan_arena(tape->ctx, tape->plan, true) < 0) return false;
    for (int place = AD_PLACE_HOST; place <= AD_PLACE_WORK; place++) {
        tape->arenas[place] = ad_plan_arena(tape->ctx, tape->plan, false);
        if (tape->arenas[place] < 0) return false;
    }
    tape->arenas[AD_PLACE_HOST_TASKS] = tape->arenas[AD_PLACE_HOST];
    return true;
}

void ad_tape_begin(ad_tape *tape, adatom_context *ctx, const ad_build_params *params, ad_built *built) {
    *tape = (ad_tape){.ctx = ctx, .params = params, .net = params->net, .built = built};
    tape->plan = built->plan = ad_plan_create(ctx, params->tasks);
    if (!tape->plan || !make_arrays(tape)) {
        ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        return;
    }
    tape->plan->lanes = params->lanes;
    tape->plan->divided = params->outer.kind == AD_OUTER_NONE ? 0 : params->outer.tasks;
    tape->plan->through = params->through;
    tape->plan->eval_between = params->eval_between;
    if (!make_arenas(tape)) {
        ad_tape_fail(tape, ADATOM_FAILED);
        return;
    }
    lay_base(tape);
}

void ad_tape_finish(ad_tape *tape) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++)
        for (int i = 0; i < tape->segments[s].count && tape->status == ADATOM_OK; i++) {
            const ad_op *from = &tape->segments[s].ops[i];
            ad_op *op = ad_plan_op(tape->ctx, tape->plan, (ad_segment_id)s, from->kind);
            if (op)
                *op = *from;
            else
                ad_tape_fail(tape, ADATOM_OUT_OF_MEMORY);
        }
    if (tape->status == ADATOM_OK && tape->params->chains) ad_plan_chain(tape->plan);
    if (tape->status == ADATOM_OK)
        ad_tape_fail(tape, ad_plan_place(tape->ctx, tape->plan, tape->arenas[AD_PLACE_WORK]));
    if (tape->status == ADATOM_OK) ad_tape_fail(tape, ad_plan_validate(tape->ctx, tape->plan));
}

void ad_tape_clear(ad_tape *tape) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) ad_free(tape->segments[s].ops);
    ad_free(tape->numbers);
    ad_free(tape->live);
    ad_free(tape->adapts);
    ad_free(tape->gradient_written);
}
