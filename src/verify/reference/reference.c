#include "verify/reference/internal.h"

void ad_reference_run(const ad_op *op, const ad_reference_role roles[AD_OP_TENSORS]) {
    static void (*const references[AD_OP_COUNT])(const task_op *) = {
#define AD_OP(NAME, name, roles) ad_reference_##NAME,
#include "plan/ops.def"
    };
    for (int role = 0; role < AD_OP_TENSORS; role++)
        for (size_t e = 0; roles[role].bound && e < roles[role].count; e++)
            roles[role].bound[e] = AD_REFERENCE_UNTOUCHED;
    for (int task = 0; task < op->tasks; task++) {
        task_op r = {.op = op, .g = op->g, .task = task};
        for (int role = 0; role < AD_OP_TENSORS; role++) {
            const ad_reference_role *from = &roles[role];
            r.v[role] = from->value ? from->value + (size_t)task * from->stride : NULL;
            r.stride[role] = from->stride;
            r.bound[role] = from->bound ? from->bound + (size_t)task * from->stride : NULL;
        }
        references[op->kind](&r);
    }
}
