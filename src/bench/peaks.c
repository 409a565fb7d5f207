/* What the device can reach, and what an operation or a submission costs when it has nothing to do. */
#include "bench/bench.h"

#include <stdio.h>
#include <string.h>

static adatom_status probe(ad_bench *b, int kind, ad_bench_record *out) {
    adatom_bench_result *r = &out->result;
    ad_probe p = {.kind = (ad_probe_kind)kind};
    if (!b->engine->api->probe)
        return ad_fail(b->ctx, ADATOM_UNSUPPORTED, "the %s engine measures no peaks", b->engine->api->name);
    const adatom_status status = b->engine->api->probe(b->engine, &p);
    if (status != ADATOM_OK) return status;
    memcpy(out->samples, p.ns, sizeof p.ns);
    r->samples_ns = out->samples;
    r->sample_count = AD_PROBE_SAMPLES;
    r->timer = p.device_timer ? "device" : "wall";
    r->gflop = 1e-9 * p.flops;
    r->gbyte = 1e-9 * p.bytes;
    ad_bench_statistics(r);
    r->unit = p.flops > 0 ? "GFLOP/s" : "GB/s";
    r->value = 1e9 * (p.flops > 0 ? r->gflop : r->gbyte) / r->median_ns;
    /* The best sample: a peak is what nothing exceeds. */
    if (kind == AD_PROBE_FMA32) b->flops = 1e9 * p.flops / r->min_ns;
    if (kind == AD_PROBE_READ || kind == AD_PROBE_WRITE || kind == AD_PROBE_COPY)
        b->bytes = AD_MAX(b->bytes, 1e9 * p.bytes / r->min_ns);
    return ADATOM_OK;
}

/* A program of `operations` fills of four numbers, each after the one before. */
typedef struct chain {
    ad_bench *b;
    ad_program *program;
    int operations;
} chain;

static adatom_status make_chain(ad_bench *b, int operations, chain *out) {
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    *out = (chain){.b = b, .operations = operations};
    ad_plan *plan = ad_plan_create(b->ctx, 1);
    const int arena = plan ? ad_plan_arena(b->ctx, plan, false) : -1;
    const int tensor = arena < 0 ? -1 : ad_plan_tensor(b->ctx, plan, "numbers", AD_F32, arena, 4, false);
    if (tensor < 0) goto done;
    for (int i = 0; i < operations; i++) {
        ad_op *op = ad_plan_op(b->ctx, plan, AD_SEGMENT_STEP, AD_OP_FILL);
        if (!op) goto done;
        op->t[0] = (int16_t)tensor;
        op->g.c = 4;
    }
    status = b->engine->api->program_create(b->engine, plan, NULL, &out->program);
done:
    ad_plan_destroy(&plan);
    return status;
}

static adatom_status run_chain(void *user, double *ns) {
    const chain *c = user;
    const double began = ad_seconds();
    const adatom_status status = ad_run_segment(c->b->engine->api, c->program, AD_SEGMENT_STEP, 1);
    *ns = 1e9 * (ad_seconds() - began) / c->operations;
    return status;
}

static adatom_status overhead(ad_bench *b, int operations, ad_bench_record *out) {
    adatom_status status = ADATOM_OK;
    chain c = {0};
    AD_TRY(make_chain(b, operations, &c));
    AD_TRY(ad_bench_sample(b, run_chain, &c, out));
    ad_bench_statistics(&out->result);
    out->result.timer = "wall";
    out->result.unit = "us";
    out->result.value = out->result.median_ns / 1e3;
done:
    if (c.program) b->engine->api->program_destroy(&c.program);
    return status;
}

adatom_status ad_bench_peak(ad_bench *b, const ad_bench_case *c, ad_bench_record *out) {
    if (c->peak == AD_BENCH_SUBMIT) return overhead(b, 1, out);
    if (c->peak == AD_BENCH_LAUNCH) return overhead(b, 500, out);
    return probe(b, c->peak, out);
}
