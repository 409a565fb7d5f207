#include "tests/support/interpreter.h"

#include "verify/reference/reference.h"

#include <stdlib.h>
#include <string.h>

static size_t element_bytes(const ad_plan *plan, int arena) {
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].arena == arena && plan->tensors[t].type == AD_U8) return 1;
    return 4;
}

interpreter *interpreter_create(const ad_plan *plan) {
    interpreter *in = calloc(1, sizeof *in);
    in->plan = plan;
    in->held = calloc((size_t)plan->op_count + 1, sizeof *in->held);
    for (int a = 0; a < plan->arena_count; a++)
        in->arenas[a] = calloc(plan->arenas[a].bytes / element_bytes(plan, a) + 64, sizeof(double));
    return in;
}

void interpreter_destroy(interpreter **in) {
    for (int a = 0; a < AD_MAX_ARENAS; a++) free((*in)->arenas[a]);
    for (int i = 0; i < (*in)->plan->op_count; i++) free((*in)->held[i]);
    free((*in)->held);
    free(*in);
    *in = NULL;
}

double *interpreter_tensor(interpreter *in, int tensor) {
    const ad_tensor *t = &in->plan->tensors[tensor];
    return in->arenas[t->arena] + t->offset / element_bytes(in->plan, t->arena);
}

static void hold(interpreter *in, int op, const ad_reference_role *norms) {
    const size_t bytes = norms->count * sizeof(double);
    if (in->hold) {
        memcpy(norms->value, in->held[op], bytes);
        return;
    }
    if (!in->held[op]) in->held[op] = malloc(bytes);
    memcpy(in->held[op], norms->value, bytes);
}

void interpreter_run(interpreter *in, ad_segment_id segment) {
    for (int i = 0; i < in->plan->segments[segment].count; i++) {
        const ad_op *op = &in->plan->ops[in->plan->segments[segment].first + i];
        ad_reference_role roles[AD_OP_TENSORS] = {0};
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (op->t[r] < 0) continue;
            const ad_tensor *t = &in->plan->tensors[op->t[r]];
            roles[r].stride = t->stride;
            const int copies = op->kind == AD_OP_TASK_SUM ? op->i[0] : op->tasks;
            roles[r].count = (t->stride ? (size_t)(copies - 1) * t->stride : 0) + t->count;
            roles[r].value = malloc((roles[r].count + 1) * sizeof(double)); /* copies: operands may alias */
            memcpy(roles[r].value, interpreter_tensor(in, op->t[r]), roles[r].count * sizeof(double));
        }
        ad_reference_run(op, roles);
        if (op->kind == AD_OP_WEIGHT_NORM) hold(in, (int)(op - in->plan->ops), &roles[1]);
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (!roles[r].value) continue;
            const ad_tensor *t = &in->plan->tensors[op->t[r]];
            /* Between one task and the next lie other tensors of the block: only the elements go back. */
            for (int task = 0; task < (t->stride ? op->tasks : 1) && ad_op_access(op, r) >= AD_WRITE; task++) {
                size_t at = (size_t)task * t->stride;
                memcpy(interpreter_tensor(in, op->t[r]) + at, roles[r].value + at, t->count * sizeof(double));
            }
            free(roles[r].value);
        }
    }
}
