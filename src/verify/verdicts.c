/* Whether half precision may be used on a device. An engine uses a variant or a tensor of reduced precision only after
 * it was told that the kernel check has passed with it on this device. */
#include "verify/cases.h"
#include "verify/check.h"

#include <stdio.h>
#include <string.h>

enum { DETAIL = 400 };

static void keep_first_failure(void *user, const adatom_check_result *result) {
    char *detail = user;
    if (!result->passed && !detail[0]) snprintf(detail, DETAIL, "%s", result->detail);
}

/* Checks one variant on the quick cases and tells the engine the verdict. */
static adatom_status judge_variant(ad_engine *engine, const ad_case_list *list, int kind, int variant, const char *name,
                                   char detail[DETAIL]) {
    char filter[64];
    snprintf(filter, sizeof filter, "%s/%s/", ad_op_name(kind), name);
    const adatom_check_params params = {
        .filter = filter, .quick = true, .seed = 1, .report = keep_first_failure, .user = detail};
    const adatom_status status = ad_check_cases(engine, list, &params, NULL, NULL);
    if (status != ADATOM_OK && status != ADATOM_CHECK_FAILED) return status;
    engine->api->variant_judge(engine, kind, variant, status == ADATOM_OK);
    if (status != ADATOM_OK)
        ad_log(engine->ctx, ADATOM_LOG_WARNING, "%s is not used on this device: %s", filter, detail);
    return ADATOM_OK;
}

/* *passed: whether every variant that computes in float32 passes the quick cases that have tensors in
 * half precision. */
static adatom_status check_storage(ad_engine *engine, const ad_case_list *list, bool *passed, char detail[DETAIL]) {
    const ad_engine_api *api = engine->api;
    adatom_status status = ADATOM_OK;
    *passed = true;
    for (int i = 0; i < list->count && status == ADATOM_OK; i++) {
        ad_case_list one = {.ctx = list->ctx, .cases = &list->cases[i], .count = 1};
        const ad_case *c = one.cases;
        int whole = 0;
        if (!c->quick || !c->half) continue;
        ad_plan *plan = ad_case_plan(engine->ctx, c, &whole);
        if (!plan) return ADATOM_OUT_OF_MEMORY;
        for (int v = 1; v <= api->variant_count(engine, c->op.kind) && status == ADATOM_OK; v++) {
            const char *name = api->variant_name(engine, plan, &plan->ops[0], v);
            ad_half_variant reduced;
            char filter[200];
            if (!name || (api->variant_half && api->variant_half(engine, plan, &plan->ops[0], v, &reduced))) continue;
            snprintf(filter, sizeof filter, "%s/%s/%s", ad_op_name(c->op.kind), name, c->shape);
            const adatom_check_params params = {
                .filter = filter, .seed = 1, .report = keep_first_failure, .user = detail};
            status = ad_check_cases(engine, &one, &params, NULL, NULL);
            if (status != ADATOM_CHECK_FAILED) continue;
            *passed = false;
            status = ADATOM_OK;
        }
        ad_plan_destroy(&plan);
    }
    return status;
}

static adatom_status judge_storage(ad_engine *engine, const ad_case_list *list, char detail[DETAIL]) {
    bool passed = false;
    const adatom_status status = check_storage(engine, list, &passed, detail);
    if (status != ADATOM_OK) return status;
    engine->api->half_storage_judge(engine, passed);
    if (!passed)
        ad_log(engine->ctx, ADATOM_LOG_WARNING, "nothing is stored in half precision on this device: %s", detail);
    return ADATOM_OK;
}

adatom_status ad_check_half(ad_engine *engine, const char *device) {
    const ad_engine_api *api = engine->api;
    ad_case_list list = {0};
    bool judged[AD_OP_COUNT][AD_MAX_VARIANTS] = {0};
    int offered = 1, passed = 0; /* the tensors count as one, each variant as another */
    char detail[DETAIL] = "";
    adatom_status status = ADATOM_OK;
    AD_TRY(ad_case_list_make(engine->ctx, &list));
    if (api->half_storage(engine) == AD_VERDICT_NONE) AD_TRY(judge_storage(engine, &list, detail));
    passed += api->half_storage(engine) == AD_VERDICT_PASSED;
    for (int i = 0; i < list.count; i++) {
        const ad_case *c = &list.cases[i];
        const int kind = c->op.kind, count = c->quick && api->variant_half
                                                 ? AD_MIN(api->variant_count(engine, kind), AD_MAX_VARIANTS - 1)
                                                 : 0;
        int whole = 0;
        ad_plan *plan = count ? ad_case_plan(engine->ctx, c, &whole) : NULL;
        if (count && !plan) status = ADATOM_OUT_OF_MEMORY;
        for (int v = 1; v <= count && status == ADATOM_OK; v++) {
            ad_half_variant half = {0};
            if (judged[kind][v] || !api->variant_half(engine, plan, &plan->ops[0], v, &half) || !half.offered) continue;
            judged[kind][v] = true;
            if (half.verdict == AD_VERDICT_NONE) status = judge_variant(engine, &list, kind, v, half.name, detail);
            api->variant_half(engine, plan, &plan->ops[0], v, &half);
            offered++;
            passed += half.verdict == AD_VERDICT_PASSED;
        }
        ad_plan_destroy(&plan);
        if (status != ADATOM_OK) goto done;
    }
    if (!passed)
        status = ad_fail(engine->ctx, ADATOM_CHECK_FAILED,
                         "none of %d uses of half precision passes the kernel check on %s%s%s", offered, device,
                         detail[0] ? ": " : "", detail);
done:
    ad_case_list_clear(&list);
    return status;
}
