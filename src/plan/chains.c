/* Which operations are chained, and that they can be. */
#include "plan/plan.h"

#include <string.h>

/* What does not stay in a usual second-level cache from one operation to the next, and weights that leave room there.
 */
enum { IMAGE_BYTES = 256 << 10, WEIGHT_BYTES = 128 << 10 };

enum { X = 0, Y = 3 }; /* roles of CONV and DEPTHWISE */

/* A row of y takes few rows of x, and weights for all of them. A convolution of larger kernels has better ways, but at
 * a stride. */
static bool by_rows(const ad_op *op) {
    if (op->flags & AD_ACCUMULATE) return false;
    if (op->kind == AD_OP_DEPTHWISE) return true;
    return op->kind == AD_OP_CONV && op->g.groups <= 1 && (op->g.k == 1 || op->g.stride > 1);
}

static int operands_of(const ad_plan *plan, int tensor) {
    int count = 0;
    for (int i = 0; i < plan->op_count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++) count += plan->ops[i].t[r] == tensor;
    return count;
}

/* Whether `next` may be chained to `op`. */
static bool links(const ad_plan *plan, const ad_op *op, const ad_op *next) {
    if (!by_rows(op) || !by_rows(next) || next->t[X] < 0 || next->t[X] != op->t[Y]) return false;
    const ad_tensor *between = &plan->tensors[op->t[Y]];
    return op->tasks == next->tasks && op->g.n == next->g.n && op->g.oh == next->g.h && op->g.ow == next->g.w &&
           op->g.o == next->g.c && between->type == AD_F32 && !plan->arenas[between->arena].external &&
           operands_of(plan, op->t[Y]) == 2;
}

static bool few_weights(const ad_op *op) {
    const ad_geometry *g = &op->g;
    const size_t inputs = op->kind == AD_OP_DEPTHWISE ? 1 : (size_t)g->c;
    return (size_t)g->k * (size_t)g->k * inputs * (size_t)g->o * sizeof(float) <= WEIGHT_BYTES;
}

static bool worth(const ad_op *op, const ad_op *next) {
    const size_t image = (size_t)op->g.oh * (size_t)op->g.ow * (size_t)op->g.o * sizeof(float);
    return image >= IMAGE_BYTES && few_weights(op) && few_weights(next);
}

/* Whether op, which comes after those of a chain, may as well come before. */
static bool independent(const ad_op *op, const ad_op *chain, int count) {
    for (int i = 0; i < count; i++)
        for (int a = 0; a < AD_OP_TENSORS; a++)
            for (int b = 0; b < AD_OP_TENSORS; b++)
                if (op->t[a] >= 0 && op->t[a] == chain[i].t[b] &&
                    (ad_op_access(op, a) >= AD_WRITE || ad_op_access(&chain[i], b) >= AD_WRITE))
                    return false;
    return true;
}

/* Moves the operations aside, which follow the count ones at op, before them. */
static void move_before(ad_op *op, int count, int aside) {
    for (int a = 0; a < aside; a++) {
        const ad_op moved = op[count + a];
        memmove(op + a + 1, op + a, (size_t)count * sizeof *op);
        op[a] = moved;
    }
}

void ad_plan_chain(ad_plan *plan) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) {
        const int end = plan->segments[s].first + plan->segments[s].count;
        for (int first = plan->segments[s].first, count; first < end; first += count) {
            count = 1;
            for (int at = first + 1; at < end && count < AD_CHAIN_MOST; at++) {
                ad_op *chain = &plan->ops[first], *next = &plan->ops[at];
                const ad_op *last = &chain[count - 1];
                if (links(plan, last, next) && worth(last, next)) {
                    const int aside = at - first - count;
                    next->flags |= AD_CHAINED;
                    move_before(chain, count, aside);
                    first += aside;
                    count++;
                } else if (next->kind != AD_OP_COMPOSE || !independent(next, chain, count)) {
                    break;
                }
            }
        }
    }
}

int ad_plan_chain_length(const ad_plan *plan, int op) {
    int count = 1;
    if (plan->ops[op].flags & AD_CHAINED) return count;
    while (op + count < plan->op_count && (plan->ops[op + count].flags & AD_CHAINED)) count++;
    return count;
}

/* A chain's result is written while its operations are still reading. */
static bool result_apart(const ad_plan *plan, int first, int count) {
    const ad_tensor *result = &plan->tensors[plan->ops[first + count - 1].t[Y]];
    for (int i = first; i < first + count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++)
            if (plan->ops[i].t[r] >= 0 && ad_op_access(&plan->ops[i], r) == AD_READ &&
                ad_tensors_overlap(plan, result, &plan->tensors[plan->ops[i].t[r]]))
                return false;
    return true;
}

adatom_status ad_plan_check_chains(adatom_context *ctx, const ad_plan *plan) {
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) {
        const int begin = plan->segments[s].first, end = begin + plan->segments[s].count;
        for (int i = begin; i < end; i++) {
            const ad_op *op = &plan->ops[i];
            if ((op->flags & AD_CHAINED) && (i == begin || !links(plan, op - 1, op)))
                return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot be chained to the one before", i,
                               ad_op_name(op->kind));
            const int count = ad_plan_chain_length(plan, i);
            if (count > AD_CHAIN_MOST || (count > 1 && !result_apart(plan, i, count)))
                return ad_fail(ctx, ADATOM_USAGE, "plan: operation %d (%s) cannot begin such a chain", i,
                               ad_op_name(op->kind));
        }
    }
    return ADATOM_OK;
}
