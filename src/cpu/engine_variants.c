/* All kernels, and which variants of them operations take. */
#include "cpu/engine.h"

const ad_cpu_kernel *const ad_cpu_kernels[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) &ad_cpu_kernel_##NAME,
#include "plan/ops.def"
};
static const char *const one_variant[] = {"loops", NULL};

static const char *const *variants_of(int kind) {
    return ad_cpu_kernels[kind]->variants ? ad_cpu_kernels[kind]->variants : one_variant;
}

int ad_cpu_variant_count(const ad_engine *engine, int kind) {
    (void)engine;
    int count = 0;
    while (variants_of(kind)[count]) count++;
    return count;
}

static bool applies(const ad_cpu_engine *engine, const ad_op *op, int variant) {
    return variant >= 1 && variant <= ad_cpu_variant_count(&engine->base, op->kind) &&
           (!ad_cpu_kernels[op->kind]->applies || ad_cpu_kernels[op->kind]->applies(op, variant, engine->tiles));
}

/* One preference per operation: where it does not apply, the first that does is taken. */
void ad_cpu_variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant) {
    (void)plan;
    ((ad_cpu_engine *)engine)->prefer[op->kind] = (int16_t)variant;
}

int ad_cpu_variant_of(const ad_cpu_engine *engine, const ad_op *op) {
    if (op->variant) return op->variant;
    if ((op->flags & AD_FAST) && ad_cpu_kernels[op->kind]->fast) {
        const int fast = ad_cpu_kernels[op->kind]->fast(op, engine->tiles);
        if (fast) return fast;
    }
    if (applies(engine, op, engine->prefer[op->kind])) return engine->prefer[op->kind];
    int variant = 1;
    while (variant < ad_cpu_variant_count(&engine->base, op->kind) && !applies(engine, op, variant)) variant++;
    return variant;
}

const char *ad_cpu_variant_name(const ad_engine *base, const ad_plan *plan, const ad_op *op, int variant) {
    const ad_cpu_engine *engine = (const ad_cpu_engine *)base;
    (void)plan;
    if (!variant) variant = ad_cpu_variant_of(engine, op);
    return applies(engine, op, variant) ? variants_of(op->kind)[variant - 1] : NULL;
}

bool ad_cpu_variant_winograd(const ad_engine *engine, const ad_op *op, int variant) {
    (void)engine;
    return variant && ad_cpu_kernels[op->kind]->winograd == variant;
}
