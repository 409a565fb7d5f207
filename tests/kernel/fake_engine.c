#include "fake_engine.h"

#include "base/half.h"
#include "verify/reference/reference.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct fake_engine {
    ad_engine base;
    fake_fault fault;
    int runs;
    ad_verdict half_storage;
} fake_engine;

struct ad_program {
    fake_engine *engine;
    ad_plan plan; /* one operation, one arena */
    ad_op op;
    uint8_t *arena;
};

static void destroy(ad_engine *engine) { ad_free(engine); }

static void describe(const ad_engine *engine, adatom_device_info *out) {
    (void)engine;
    *out = (adatom_device_info){.index = 0};
    snprintf(out->backend, sizeof out->backend, "cpu");
}

static void program_destroy(ad_program **program) {
    if (!*program) return;
    ad_free((*program)->plan.tensors);
    ad_free((*program)->arena);
    ad_free(*program);
    *program = NULL;
}

static adatom_status program_create(ad_engine *engine, const ad_plan *plan, ad_buffer *const *external,
                                    ad_program **out) {
    (void)external;
    fake_engine *fake = (fake_engine *)engine;
    if (fake->fault == FAKE_REFUSES) return ad_fail(engine->ctx, ADATOM_UNSUPPORTED, "refused");
    adatom_status status = ad_plan_validate(engine->ctx, plan);
    if (status != ADATOM_OK) return status;
    ad_program *p = ad_calloc(engine->ctx, 1, sizeof *p);
    if (!p) return ADATOM_OUT_OF_MEMORY;
    p->engine = fake;
    p->plan = *plan;
    p->op = plan->ops[0];
    p->plan.tensors = ad_malloc(engine->ctx, (size_t)plan->tensor_count, sizeof *plan->tensors);
    p->arena = ad_malloc(engine->ctx, plan->arenas[0].bytes, 1);
    if (!p->plan.tensors || !p->arena) {
        program_destroy(&p);
        return ADATOM_OUT_OF_MEMORY;
    }
    memcpy(p->plan.tensors, plan->tensors, (size_t)plan->tensor_count * sizeof *plan->tensors);
    *out = p;
    return ADATOM_OK;
}

static adatom_status program_write(ad_program *p, int tensor, size_t offset, const void *data, size_t bytes) {
    memcpy(p->arena + p->plan.tensors[tensor].offset + offset, data, bytes);
    return ADATOM_OK;
}

static adatom_status program_read(ad_program *p, int tensor, size_t offset, void *data, size_t bytes) {
    memcpy(data, p->arena + p->plan.tensors[tensor].offset + offset, bytes);
    return ADATOM_OK;
}

static double load(const ad_program *p, const ad_tensor *t, size_t e) {
    const uint8_t *at = p->arena + t->offset + e * ad_type_bytes(t->type);
    float number = 0;
    int32_t integer = 0;
    uint16_t half = 0;
    if (t->type == AD_U8) return *at;
    if (t->type == AD_F16) {
        memcpy(&half, at, 2);
        return (double)ad_half_to_float(half);
    }
    memcpy(t->type == AD_F32 ? (void *)&number : (void *)&integer, at, 4);
    return t->type == AD_F32 ? (double)number : (double)integer;
}

static void store(ad_program *p, const ad_tensor *t, size_t e, double value) {
    uint8_t *at = p->arena + t->offset + e * ad_type_bytes(t->type);
    const bool overflows = p->engine->fault == FAKE_OVERFLOW && fabs(value) > (double)AD_HALF_MAX;
    if (t->type == AD_F16)
        memcpy(at, &(uint16_t){overflows ? 0x7c00 : ad_half_from_float((float)value)}, 2);
    else if (t->type == AD_F32)
        memcpy(at, &(float){(float)value}, 4);
    else
        memcpy(at, &(int32_t){(int32_t)value}, 4);
}

static void flip_bit(uint8_t *word) { word[0] ^= 1; }

/* Writes an output as the fault wants it. */
static void store_output(ad_program *p, const ad_tensor *t, const ad_reference_role *role) {
    const fake_fault fault = p->engine->fault;
    size_t first = role->count, last = 0;
    for (size_t e = 0; e < role->count; e++) {
        if (role->bound[e] == AD_REFERENCE_UNTOUCHED) continue;
        if (first == role->count) first = e;
        last = e;
    }
    for (size_t e = first; e < role->count; e++) {
        double value = role->value[e];
        if (role->bound[e] == AD_REFERENCE_UNTOUCHED || (fault == FAKE_UNWRITTEN && e == last)) continue;
        if (fault == FAKE_WRONG_LAST && e == last) value += 1;
        if (fault == FAKE_WRONG_FIRST && e == first) value *= 1 + 1e-4;
        store(p, t, e, value);
        if (fault == FAKE_UNSTEADY && e == last && p->engine->runs % 2)
            flip_bit(p->arena + t->offset + e * ad_type_bytes(t->type));
    }
}

static adatom_status program_run(ad_program *p, const ad_run *runs, int count) {
    (void)runs;
    (void)count;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    ad_reference_role roles[AD_OP_TENSORS] = {0};
    const ad_tensor *output = NULL, *operand = NULL;
    p->engine->runs++;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        const ad_access access = ad_op_access(&p->op, r);
        if (access == AD_ACCESS_NONE) continue;
        const ad_tensor *t = &p->plan.tensors[p->op.t[r]];
        if (access != AD_READ && !output) output = t;
        if (access == AD_READ && !operand) operand = t;
        roles[r].stride = t->stride;
        roles[r].count = ad_tensor_bytes(t, p->plan.tasks) / ad_type_bytes(t->type);
        roles[r].value = ad_malloc(p->engine->base.ctx, roles[r].count, sizeof(double));
        if (access != AD_READ) roles[r].bound = ad_malloc(p->engine->base.ctx, roles[r].count, sizeof(double));
        if (!roles[r].value || (access != AD_READ && !roles[r].bound)) goto done;
        for (size_t e = 0; e < roles[r].count; e++) roles[r].value[e] = load(p, t, e);
    }
    ad_reference_run(&p->op, roles);
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (roles[r].bound) store_output(p, &p->plan.tensors[p->op.t[r]], &roles[r]);
    if (p->engine->fault == FAKE_GUARD_BEFORE) flip_bit(p->arena + output->offset - 4);
    if (p->engine->fault == FAKE_GUARD_AFTER)
        flip_bit(p->arena + output->offset + ad_tensor_bytes(output, p->plan.tasks));
    if (p->engine->fault == FAKE_OPERAND && operand && operand != output) flip_bit(p->arena + operand->offset);
    status = ADATOM_OK;
done:
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        ad_free(roles[r].value);
        ad_free(roles[r].bound);
    }
    return status;
}

static adatom_status program_profile(ad_program *program, bool on) {
    (void)program;
    (void)on;
    return ADATOM_OK;
}

static int variant_count(const ad_engine *engine, int kind) {
    (void)engine;
    (void)kind;
    return 1;
}

static const char *variant_name(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant) {
    (void)engine;
    (void)plan;
    (void)op;
    return variant == 1 ? "reference" : NULL;
}

static ad_verdict half_storage(const ad_engine *engine) { return ((const fake_engine *)engine)->half_storage; }
static void half_storage_judge(ad_engine *engine, bool passed) {
    ((fake_engine *)engine)->half_storage = passed ? AD_VERDICT_PASSED : AD_VERDICT_FAILED;
}

adatom_status fake_engine_create(adatom_context *ctx, fake_fault fault, ad_engine **out) {
    static const ad_engine_api api = {
        .name = "fake",
        .destroy = destroy,
        .describe = describe,
        .program_create = program_create,
        .program_write = program_write,
        .program_read = program_read,
        .program_run = program_run,
        .program_destroy = program_destroy,
        .program_profile = program_profile,
        .variant_count = variant_count,
        .variant_name = variant_name,
        .half_storage = half_storage,
        .half_storage_judge = half_storage_judge,
    };
    fake_engine *engine = ad_calloc(ctx, 1, sizeof *engine);
    if (!engine) return ADATOM_OUT_OF_MEMORY;
    engine->base = (ad_engine){.api = &api, .ctx = ctx};
    engine->fault = fault;
    *out = &engine->base;
    return ADATOM_OK;
}
