/* Which cases, in which order, and what is derived from their samples. */
#include "bench/bench.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void derive(const ad_bench *b, ad_bench_kind kind, adatom_bench_result *r) {
    if (r->median_ns <= 0) return;
    r->gflops = 1e9 * r->gflop / r->median_ns;
    r->gbytes_per_s = 1e9 * r->gbyte / r->median_ns;
    if (kind == AD_BENCH_PEAK) return;
    if (b->flops > 0) r->share_of_peak = 1e9 * r->gflops / b->flops;
    if (b->bytes > 0) r->share_of_memory = 1e9 * r->gbytes_per_s / b->bytes;
    r->share_of_roofline = AD_MAX(r->share_of_peak, r->share_of_memory);
}

/* Errors of one case are its result; what would make every further case fail too ends the run. */
static adatom_status run_case(ad_bench *b, const ad_bench_case *c, int *errors) {
    adatom_status status = ad_interrupted(b->ctx);
    if (status != ADATOM_OK) return status;
    ad_bench_record *record = ad_calloc(b->ctx, 1, sizeof *record);
    if (!record) return ADATOM_OUT_OF_MEMORY;
    adatom_bench_result *r = &record->result;
    *r = (adatom_bench_result){.size = sizeof(adatom_bench_result),
                               .name = c->name,
                               .status = ADATOM_BENCH_OK,
                               .reason = record->reason,
                               .unit = "",
                               .variant = record->variant,
                               .verified = record->verified,
                               .timer = "wall",
                               .samples_ns = record->samples};
    status = ad_bench_late(b, 0);
    if (status == ADATOM_OK) switch (c->kind) {
        case AD_BENCH_PEAK: status = ad_bench_peak(b, c, record); break;
        case AD_BENCH_KERNEL: status = ad_bench_kernel(b, c, record); break;
        case AD_BENCH_ADAPT: status = ad_bench_adapt(b, c, record); break;
        case AD_BENCH_PRETRAIN: status = ad_bench_pretrain(b, c, record); break;
        case AD_BENCH_INFER: status = ad_bench_infer(b, c, record); break;
        case AD_BENCH_STARTUP: status = ad_bench_startup(b, c, record); break;
        }
    if (status == ADATOM_OK) {
        derive(b, c->kind, r);
    } else {
        static const char late[] = "skipped: ";
        const char *message = adatom_context_message(b->ctx);
        const bool skipped = !strncmp(message, late, sizeof late - 1);
        const adatom_bench_result none = {.size = sizeof(adatom_bench_result),
                                          .name = r->name,
                                          .status = ADATOM_BENCH_ERROR,
                                          .reason = r->reason,
                                          .unit = "",
                                          .variant = r->variant,
                                          .verified = r->verified,
                                          .timer = "",
                                          .samples_ns = record->samples};
        *r = none;
        snprintf(record->reason, sizeof record->reason, "%s", message + (skipped ? sizeof late - 1 : 0));
        if (status == ADATOM_UNSUPPORTED) r->status = skipped ? ADATOM_BENCH_SKIPPED : ADATOM_BENCH_UNSUPPORTED;
        *errors += status != ADATOM_UNSUPPORTED;
    }
    if ((status != ADATOM_DEVICE_LOST && status != ADATOM_INTERRUPTED) && b->params.report)
        b->params.report(b->params.user, r);
    ad_free(record);
    ad_report(b->ctx, ADATOM_PHASE_TIMING, ++b->done, 0);
    return status == ADATOM_DEVICE_LOST || status == ADATOM_INTERRUPTED ? status : ADATOM_OK;
}

/* A filter that is the full name of a case means that case only; others are parts of names. */
static bool wanted(const ad_bench *b, const char *name) {
    ad_bench_case c;
    for (size_t f = 0; f < b->params.filter_count; f++) {
        const char *filter = b->params.filters[f];
        if (ad_bench_parse(filter, &c) ? !strcmp(name, filter) : strstr(name, filter) != NULL) return true;
    }
    return !b->params.filter_count;
}

/* A case asked for by its name is measured thoroughly, however long it takes, unless the caller set a limit. */
static adatom_status run_asked(ad_bench *b, const ad_bench_case *c, int *errors) {
    const bool brief = b->brief;
    const double deadline = b->deadline;
    for (size_t f = 0; f < b->params.filter_count; f++)
        if (!strcmp(b->params.filters[f], c->name)) {
            b->brief = false;
            if (b->params.seconds <= 0) b->deadline = INFINITY;
        }
    const adatom_status status = run_case(b, c, errors);
    b->brief = brief;
    b->deadline = deadline;
    return status;
}

/* Filters that are no part of a name of the suite must be cases. */
static adatom_status check_filters(ad_bench *b, const char *const *suite) {
    for (size_t f = 0; f < b->params.filter_count; f++) {
        ad_bench_case c;
        bool part = ad_bench_parse(b->params.filters[f], &c);
        for (const char *const *name = suite; *name && !part; name++)
            part = strstr(*name, b->params.filters[f]) != NULL;
        if (!part)
            return ad_fail(b->ctx, ADATOM_USAGE,
                           "'%s' is neither a case (e.g. conv/forward/composed/64x64x3/21/b25 or "
                           "adapt/atoms/conv4/84/5w5s15q/50) nor part of "
                           "the name of one in the %s suite",
                           b->params.filters[f], adatom_suite_name(b->params.suite));
    }
    return ADATOM_OK;
}

static bool in_suite(const char *const *suite, const char *name) {
    while (*suite && strcmp(*suite, name)) suite++;
    return *suite != NULL;
}

static double default_seconds(adatom_suite suite) {
    if (suite == ADATOM_SUITE_QUICK) return 40;
    return suite == ADATOM_SUITE_SCALING ? 600 : 3600;
}

adatom_status adatom_bench_device(adatom_device *device, const adatom_bench_params *params, int *errors) {
    ad_bench b = {.device = device, .ctx = device->ctx, .engine = device->engine};
    int failed = 0;
    if (errors) *errors = 0;
    adatom_status status = AD_PARAMS(b.ctx, adatom_bench_params, params, &b.params);
    const ad_call outer = ad_call_begin(b.ctx, b.params.progress, b.params.user);
    const char *const *suite = ad_bench_suite(adatom_suite_name(b.params.suite));
    AD_TRY(status);
    if (!suite) AD_TRY(ad_choice_refuse(b.ctx, "the suite", (int)b.params.suite));
    b.brief = b.params.suite != ADATOM_SUITE_FULL;
    b.deadline = ad_seconds() + (b.params.seconds > 0 ? b.params.seconds : default_seconds(b.params.suite));
    status = check_filters(&b, suite);
    ad_bench_case c;
    for (const char *const *name = suite; *name && status == ADATOM_OK; name++)
        if (ad_bench_parse(*name, &c) && (c.kind == AD_BENCH_PEAK || wanted(&b, *name)))
            status = c.kind == AD_BENCH_PEAK ? run_case(&b, &c, &failed) : run_asked(&b, &c, &failed);
    for (size_t f = 0; f < b.params.filter_count && status == ADATOM_OK; f++)
        if (ad_bench_parse(b.params.filters[f], &c) && !in_suite(suite, c.name)) status = run_asked(&b, &c, &failed);
    if (errors) *errors = failed;
done:
    return ad_call_end(b.ctx, &outer, status);
}
