/* The tuner: times the variants of an operation on operands of its own and prefers the fastest. */
#include "bench/tune.h"

#include "base/half.h"

#include <math.h>

enum { ROUNDS = 3 };
#define ROUND_SECONDS 0.01

/* The operation alone, its operands packed into one arena. Tensor numbers stay apart or equal as they were. */
static ad_plan *plan_of_one(adatom_context *ctx, const ad_plan *plan, const ad_op *from) {
    ad_plan *out = ad_plan_create(ctx, plan->tasks);
    int arena = out ? ad_plan_arena(ctx, out, false) : -1;
    ad_op *op = arena < 0 ? NULL : ad_plan_op(ctx, out, AD_SEGMENT_STEP, from->kind);
    if (!op) goto failed;
    *op = *from;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (from->t[r] < 0) continue;
        const ad_tensor *t = &plan->tensors[from->t[r]];
        int same = 0;
        while (from->t[same] != from->t[r]) same++;
        op->t[r] = same < r ? op->t[same]
                            : (int16_t)ad_plan_tensor(ctx, out, t->name, t->type, arena, t->count, t->stride > 0);
        if (op->t[r] < 0) goto failed;
    }
    return out;
failed:
    ad_plan_destroy(&out);
    return NULL;
}

/* Numbers in [0, 1) that don't repeat, since constant operands draw less power and flatter the clock; integers
 * (indices, labels) zero, which is valid for all. */
static adatom_status fill_operands(ad_engine *engine, ad_program *program, const ad_plan *plan) {
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < plan->tensor_count && status == ADATOM_OK; i++) {
        const ad_tensor *t = &plan->tensors[i];
        const size_t bytes = ad_tensor_bytes(t, plan->tasks);
        float *image = ad_calloc(engine->ctx, 1, bytes);
        if (!image) return ADATOM_OUT_OF_MEMORY;
        for (size_t e = 0; t->type == AD_F32 && e < bytes / sizeof *image; e++)
            image[e] = ad_uniform((uint32_t)e * 2654435761u);
        for (size_t e = 0; t->type == AD_F16 && e < bytes / 2; e++)
            ((uint16_t *)image)[e] = ad_half_from_float(ad_uniform((uint32_t)e * 2654435761u));
        status = engine->api->program_write(program, i, 0, image, bytes);
        ad_free(image);
    }
    return status;
}

/* Seconds of one run of the plan's operation: the least of a few rounds, each long enough for the clock. */
static adatom_status measure(ad_engine *engine, const ad_plan *plan, double *out) {
    adatom_status status = ADATOM_OK;
    ad_program *program = NULL;
    int times = 1;
    *out = INFINITY;
    AD_TRY(engine->api->program_create(engine, plan, NULL, &program));
    AD_TRY(fill_operands(engine, program, plan));
    AD_TRY(
        ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1)); /* touches memory, compiles what is compiled late */
    for (int round = 0; round < ROUNDS;) {
        const double began = ad_seconds();
        AD_TRY(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, times));
        const double seconds = ad_seconds() - began;
        *out = AD_MIN(*out, seconds / times);
        if (seconds < ROUND_SECONDS / 2 && times < 10000)
            times *= 2;
        else
            round++;
    }
done:
    engine->api->program_destroy(&program);
    return status;
}

adatom_status ad_tune_op(ad_engine *engine, const ad_plan *plan, int op, const int *variants, int count,
                         double *seconds, int *fastest) {
    adatom_status status = ADATOM_OK;
    double best = INFINITY;
    *fastest = 0;
    ad_plan *trial = plan_of_one(engine->ctx, plan, &plan->ops[op]);
    if (!trial) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < count; i++) {
        seconds[i] = INFINITY;
        if (!engine->api->variant_name(engine, trial, &trial->ops[0], variants[i])) continue;
        trial->ops[0].variant = (int16_t)variants[i];
        AD_TRY(measure(engine, trial, &seconds[i]));
        if (seconds[i] >= best) continue;
        best = seconds[i];
        *fastest = variants[i];
    }
    if (!*fastest) {
        status = ad_fail(engine->ctx, ADATOM_UNSUPPORTED, "none of %d variants applies to operation '%s'", count,
                         ad_op_name(plan->ops[op].kind));
        goto done;
    }
    engine->api->variant_prefer(engine, plan, &plan->ops[op], *fastest);
done:
    ad_plan_destroy(&trial);
    return status;
}
