/* Opening a device. For half precision that asks the kernel check: no variant of reduced precision is used before it has passed. */
#include "bench/check.h"
#include "device/device.h"

#include <stdio.h>
#include <string.h>

enum { MAX_VARIANTS = 9, DETAIL = 400 };

static void keep_first(void *user, const adatom_check_result *result) {
    char *detail = user;
    if (!result->passed && !detail[0]) snprintf(detail, DETAIL, "%s", result->detail);
}

/* Checks one variant on the quick cases, and passes the verdict to the engine. */
static adatom_status judge(ad_engine *engine, const ad_case_list *list, int kind, int variant, const char *name, char detail[DETAIL]) {
    char filter[64];
    snprintf(filter, sizeof filter, "%s/%s/", ad_op_name(kind), name);
    const adatom_check_params params = {.filter = filter, .quick = true, .seed = 1, .report = keep_first, .user = detail};
    const adatom_status status = ad_check_cases(engine, list, &params, NULL, NULL);
    if (status != ADATOM_OK && status != ADATOM_CHECK_FAILED) return status;
    engine->api->variant_judge(engine, kind, variant, status == ADATOM_OK);
    if (status != ADATOM_OK) ad_log(engine->ctx, ADATOM_LOG_WARNING, "%s is not used on this device: %s", filter, detail);
    return ADATOM_OK;
}

/* Runs the check of the engine's variants of reduced precision that have no verdict yet, and tells it the verdicts. UNSUPPORTED: the
 * engine offers no such variant; CHECK_FAILED: none passes. device: its name, for messages. */
static adatom_status check_half(ad_engine *engine, const char *device) {
    const ad_engine_api *api = engine->api;
    ad_case_list list = {0};
    bool judged[AD_OP_COUNT][MAX_VARIANTS] = {0};
    int offered = 0, passed = 0;
    char detail[DETAIL] = "";
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_case_list_make(engine->ctx, &list));
    for (int i = 0; i < list.count; i++) {
        const ad_case *c = &list.cases[i];
        const int kind = c->op.kind, count = c->quick && api->variant_half ? AD_MIN(api->variant_count(engine, kind), MAX_VARIANTS - 1) : 0;
        int whole = 0;
        ad_plan *plan = count ? ad_case_plan(engine->ctx, c, &whole) : NULL;
        if (count && !plan) status = ADATOM_OUT_OF_MEMORY;
        for (int v = 1; v <= count && status == ADATOM_OK; v++) {
            ad_half_variant half = {0};
            if (judged[kind][v] || !api->variant_half(engine, plan, &plan->ops[0], v, &half) || !half.offered) continue;
            judged[kind][v] = true;
            if (half.verdict == AD_VERDICT_NONE) status = judge(engine, &list, kind, v, half.name, detail);
            api->variant_half(engine, plan, &plan->ops[0], v, &half);
            offered++;
            passed += half.verdict == AD_VERDICT_PASSED;
        }
        ad_plan_destroy(&plan);
        if (status != ADATOM_OK) goto done;
    }
    if (!offered)
        status = ad_fail(engine->ctx, ADATOM_UNSUPPORTED, "%s has no half-precision kernels; use --precision fp32", device);
    else if (!passed)
        status = ad_fail(engine->ctx, ADATOM_CHECK_FAILED, "none of %d half-precision kernels passes the kernel check on %s%s%s", offered,
                         device, detail[0] ? ": " : "", detail);
done:
    ad_case_list_clear(&list);
    return status;
}

adatom_status adatom_device_open(adatom_context *ctx, const adatom_device_params *params, adatom_device **out) {
    adatom_status status = ad_device_open(ctx, params, out);
    if (status != ADATOM_OK || !params || !params->precision || strcmp(params->precision, "fp16") != 0) return status;
    status = check_half((*out)->engine, (*out)->info.name);
    if (status != ADATOM_OK) adatom_device_destroy(out);
    return status;
}
