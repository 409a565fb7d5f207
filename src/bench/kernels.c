/* Kernel cases: one or two operations on operands of their own, checked, then timed. */
#include "bench/bench.h"
#include "verify/shrunk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A sample should last that long. An operation that takes less is repeated in one program. */
#define SAMPLE_NS 1e6
enum { MAX_REPEATS = 64 };

typedef struct kernel {
    ad_bench *b;
    const ad_bench_case *c;
    ad_plan *plan;
    ad_program *program;
    int repeats;
    bool device_timer;
} kernel;

static void clear(kernel *k) {
    if (k->program) k->b->engine->api->program_destroy(&k->program);
    ad_plan_destroy(&k->plan);
}

static int output_role(const ad_op *op) {
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (ad_op_access(op, r) == AD_WRITE) return r;
    return 0;
}

static adatom_status make_plan(kernel *k) {
    adatom_context *ctx = k->b->ctx;
    int16_t tensors[2][AD_OP_TENSORS];
    if (!(k->plan = ad_plan_create(ctx, k->c->steps[0].tasks))) return ADATOM_OUT_OF_MEMORY;
    const int arena = ad_plan_arena(ctx, k->plan, false);
    if (arena < 0) return ADATOM_OUT_OF_MEMORY;
    for (int s = 0; s < k->c->step_count; s++) {
        const ad_case *step = &k->c->steps[s];
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            const char *name = NULL;
            int length = 0;
            tensors[s][r] = -1;
            if (step->op.t[r] < 0 || ad_op_role(step->op.kind, r, NULL, &name, &length) == AD_ACCESS_NONE) continue;
            if (s > 0 && r == 0) {
                tensors[s][r] = tensors[0][output_role(&k->c->steps[0].op)];
                continue;
            }
            char text[40];
            snprintf(text, sizeof text, "%.*s", length, name);
            const int tensor = ad_plan_tensor(ctx, k->plan, text, ad_op_role_type(step->op.kind, r), arena,
                                              ad_op_elements(&step->op, r), !(step->shared >> r & 1));
            if (tensor < 0) return ADATOM_OUT_OF_MEMORY;
            tensors[s][r] = (int16_t)tensor;
        }
    }
    for (int i = 0; i < k->repeats; i++)
        for (int s = 0; s < k->c->step_count; s++) {
            ad_op *op = ad_plan_op(ctx, k->plan, AD_SEGMENT_STEP, k->c->steps[s].op.kind);
            if (!op) return ADATOM_OUT_OF_MEMORY;
            *op = k->c->steps[s].op;
            memcpy(op->t, tensors[s], sizeof op->t);
        }
    return ADATOM_OK;
}

/* Floats in [-1, 1) that don't repeat, since constant operands draw less power and flatter the clock; integers zero. */
static adatom_status fill_operands(kernel *k) {
    enum { FLOATS = 1 << 16 };
    adatom_status status = ADATOM_OK;
    float *piece = ad_malloc(k->b->ctx, FLOATS, sizeof *piece);
    if (!piece) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; i < k->plan->tensor_count; i++) {
        const ad_tensor *t = &k->plan->tensors[i];
        const size_t bytes = ad_tensor_bytes(t, k->plan->tasks), most = FLOATS * sizeof *piece;
        for (size_t e = 0; e < FLOATS; e++)
            piece[e] = t->type == AD_F32 ? 2 * ad_uniform((uint32_t)(e + 1) * 2654435761u) - 1 : 0;
        for (size_t at = 0; at < bytes; at += most)
            AD_TRY(k->b->engine->api->program_write(k->program, i, at, piece, AD_MIN(most, bytes - at)));
    }
done:
    ad_free(piece);
    return status;
}

static adatom_status make_program(kernel *k, int repeats) {
    const ad_engine_api *api = k->b->engine->api;
    adatom_status status = ADATOM_OK;
    ad_limits limits;
    clear(k);
    k->repeats = repeats;
    AD_TRY(make_plan(k));
    api->limits(k->b->engine, &limits);
    const size_t bytes = k->plan->arenas[0].bytes;
    if (bytes > AD_MIN(limits.arena_bytes, limits.memory_bytes)) {
        status = ad_fail(k->b->ctx, ADATOM_UNSUPPORTED,
                         "its operands take %.0f MiB, this device offers %.0f MiB in one piece", (double)bytes / 0x1p20,
                         (double)AD_MIN(limits.arena_bytes, limits.memory_bytes) / 0x1p20);
        goto done;
    }
    AD_TRY(api->program_create(k->b->engine, k->plan, NULL, &k->program));
    AD_TRY(api->program_profile(k->program, true));
    AD_TRY(fill_operands(k));
done:
    return status;
}

static adatom_status run_sample(void *user, double *ns) {
    kernel *k = user;
    const ad_engine_api *api = k->b->engine->api;
    const double began = ad_seconds();
    const adatom_status status = ad_run_segment(api, k->program, AD_SEGMENT_STEP, 1);
    const double wall = 1e9 * (ad_seconds() - began);
    double device = 0;
    k->device_timer = true;
    for (int op = 0; op < k->plan->op_count; op++) {
        const double op_ns = api->program_op_ns(k->program, op);
        k->device_timer &= op_ns >= 0;
        device += op_ns;
    }
    *ns = (k->device_timer ? device : wall) / k->repeats;
    return status;
}

/* The equal matrix product by OpenBLAS; 0 where the engine has none, or the system has no OpenBLAS, which is said
 * once. */
static double sgemm_flops(ad_bench *b, const ad_case *c) {
    const ad_geometry *g = &c->op.g;
    ad_probe p = {.kind = AD_PROBE_SGEMM};
    const int in = g->n * g->h * g->w, out = g->n * g->oh * g->ow, taps = g->k * g->k;
    if (ad_groups(g) > 1) return 0; /* many small products */
    switch ((ad_op_kind)c->op.kind) {
    case AD_OP_CONV:
        p.m = out;
        p.k = taps * g->c;
        p.n = g->o;
        break;
    case AD_OP_CONV_DX:
        p.m = in;
        p.k = taps * g->o;
        p.n = g->c;
        break;
    case AD_OP_CONV_DW:
        p.m = taps * g->c;
        p.k = out;
        p.n = g->o;
        break;
    default: return 0;
    }
    if (b->without_sgemm || !b->engine->api->probe) return 0;
    const adatom_status status = b->engine->api->probe(b->engine, &p);
    if (status == ADATOM_UNSUPPORTED) {
        b->without_sgemm = true;
        if (strcmp(b->engine->api->name, "cpu") == 0)
            ad_log(b->ctx, ADATOM_LOG_WARNING, "%s", adatom_context_message(b->ctx));
    }
    if (status != ADATOM_OK) return 0;
    return 1e9 * p.flops / ad_bench_median(p.ns, AD_PROBE_SAMPLES);
}

adatom_status ad_bench_kernel(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    adatom_status status = ADATOM_OK;
    adatom_bench_result *r = &out->result;
    kernel k = {.b = b, .c = c};
    for (int s = 0; s < c->step_count; s++) r->gflop += 1e-9 * ad_op_flops(&c->steps[s].op);
    if (b->flops > 0)
        AD_TRY(ad_bench_late(b, 8e9 * r->gflop / (0.1 * b->flops))); /* eight runs at a tenth of the peak */
    AD_TRY(make_program(&k, 1));
    for (int s = 0; s < c->step_count; s++) {
        const char *name = b->engine->api->variant_name(b->engine, k.plan, &k.plan->ops[s], 0);
        if (!name) name = "?";
        const size_t used = strlen(out->variant);
        snprintf(out->variant + used, sizeof out->variant - used, "%s%s", s ? "+" : "", name);
        AD_TRY(ad_bench_late(b, 0)); /* compiling and checking may take long */
        AD_TRY(
            ad_verify_case(b->engine, &c->steps[s], name, b->brief ? 4e7 : 4e8, out->verified, sizeof out->verified));
        r->gbyte += 1e-9 * ad_op_bytes(k.plan, &k.plan->ops[s]);
    }
    double first = 0, ns = 0;
    AD_TRY(ad_bench_late(b, 0));
    AD_TRY(run_sample(&k, &first));
    AD_TRY(run_sample(&k, &ns));
    if (ns < SAMPLE_NS) AD_TRY(make_program(&k, (int)AD_MIN(ceil(SAMPLE_NS / AD_MAX(ns, 1.0)), (double)MAX_REPEATS)));
    AD_TRY(ad_bench_sample(b, run_sample, &k, out));
    r->timer = k.device_timer && strcmp(b->engine->api->name, "cpu") != 0 ? "device" : "wall";
    ad_bench_statistics(r);
    if (c->step_count == 1) {
        const double product = sgemm_flops(b, &c->steps[0]);
        if (product > 0) r->share_of_sgemm = 1e18 * r->gflop / r->median_ns / product;
    }
    if (r->gflop >= 0.01) {
        r->unit = "GFLOP/s";
        r->value = 1e9 * r->gflop / r->median_ns;
    } else {
        r->unit = "us";
        r->value = r->median_ns / 1e3;
    }
done:
    clear(&k);
    return status;
}
