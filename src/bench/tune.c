/* Tuning for a network: every class of operations of its plans that has a choice. */
#include "bench/tune.h"
#include "verify/shrunk.h"
#include "device/device.h"
#include "compile/build.h"
#include <adatom/bench.h>

#include <string.h>

enum { MAX_CLASSES = 512 };

typedef struct tuning {
    adatom_context *ctx;
    ad_engine *engine;
    adatom_tune_params params;
    double deadline;
    uint64_t seen[MAX_CLASSES];
    int count;
} tuning;

/* The operation as a case of the kernel check: the same roles are present, shared and in place. */
static ad_case case_of(const ad_plan *plan, const ad_op *op) {
    ad_case c = {.op = *op, .tasks = plan->tasks};
    c.op.variant = 0;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (op->t[r] < 0) continue;
        int same = 0;
        while (op->t[same] != op->t[r]) same++;
        c.op.t[r] = (int16_t)same;
        if (!plan->tensors[op->t[r]].stride) ad_case_share(&c, r);
        if (plan->tensors[op->t[r]].type == AD_F16) ad_case_halve(&c, r);
    }
    return c;
}

static bool is_new(tuning *t, const ad_case *c) {
    struct {
        int32_t kind, flags, tasks, shared, half;
        int16_t roles[AD_OP_TENSORS];
        ad_geometry g;
    } key = {.kind = c->op.kind,
             .flags = c->op.flags,
             .tasks = c->op.tasks,
             .shared = (int32_t)c->shared,
             .half = (int32_t)c->half,
             .g = c->op.g};
    /* The hash is of the bytes: there must be no padding between the members. */
    _Static_assert(sizeof key == 5 * sizeof(int32_t) + sizeof key.roles + sizeof key.g, "padding");
    memcpy(key.roles, c->op.t, sizeof key.roles);
    const uint64_t hash = ad_hash(&key, sizeof key, 0);
    for (int i = 0; i < t->count; i++)
        if (t->seen[i] == hash) return false;
    if (t->count == MAX_CLASSES) return false;
    t->seen[t->count++] = hash;
    return true;
}

static adatom_status tune_op(tuning *t, const ad_plan *plan, int number, int *tuned) {
    const ad_engine_api *api = t->engine->api;
    const ad_op *op = &plan->ops[number];
    const ad_case c = case_of(plan, op);
    int variants[AD_MAX_VARIANTS], count = 0, passed = 0, fastest = 0;
    double seconds[AD_MAX_VARIANTS] = {0};
    for (int v = 1, all = api->variant_count(t->engine, op->kind); v <= all && count < AD_MAX_VARIANTS; v++)
        if (api->variant_name(t->engine, plan, op, v)) variants[count++] = v;
    if (count < 2 || !is_new(t, &c)) return ADATOM_OK;

    const char *before = api->variant_name(t->engine, plan, op, 0);
    const int candidates = count;
    for (int i = 0; i < count; i++) {
        const char *name = api->variant_name(t->engine, plan, op, variants[i]);
        const adatom_status status = ad_verify_case(t->engine, &c, name, 4e7, NULL, 0);
        if (status == ADATOM_OK)
            variants[passed++] = variants[i];
        else if (status != ADATOM_CHECK_FAILED)
            return status;
        else
            ad_log(t->ctx, ADATOM_LOG_WARNING, "%s", adatom_context_message(t->ctx));
    }
    if (!passed)
        return ad_fail(t->ctx, ADATOM_CHECK_FAILED, "no variant of '%s' passes the kernel check on this device",
                       ad_op_name(op->kind));
    const adatom_status status = ad_tune_op(t->engine, plan, number, variants, passed, seconds, &fastest);
    if (status != ADATOM_OK) return status;
    ++*tuned;
    if (!t->params.report) return ADATOM_OK;

    ad_case_list named = {.ctx = t->ctx};
    ad_case_add(&named, c, false, NULL);
    if (named.failed) return ADATOM_OUT_OF_MEMORY;
    adatom_tune_result result = {.size = sizeof(adatom_tune_result),
                                 .operation = ad_op_name(op->kind),
                                 .shape = named.cases[0].shape,
                                 .before = before ? before : "?",
                                 .best = api->variant_name(t->engine, plan, op, fastest),
                                 .candidates = candidates,
                                 .failed = candidates - passed};
    for (int i = 0; i < passed; i++) {
        const char *name = api->variant_name(t->engine, plan, op, variants[i]);
        if (variants[i] == fastest) result.best_ns = 1e9 * seconds[i];
        if (before && name && !strcmp(name, before)) result.before_ns = 1e9 * seconds[i];
    }
    t->params.report(t->params.user, &result);
    ad_case_list_clear(&named);
    return ADATOM_OK;
}

static adatom_status tune_plan(tuning *t, const ad_network *net, unsigned adapt, int *tuned) {
    const adatom_tune_params *p = &t->params;
    const int32_t pictures = p->way * (p->shot + p->query);
    const int support = p->way * p->shot,
              query = AD_MIN(p->way * p->query, AD_MAX(support, 25)); /* as adaptation cuts its queries */
    const ad_build_params params = {.net = net,
                                    .tasks = p->tasks_at_once,
                                    .way = p->way,
                                    .adapt = adapt,
                                    .support = support,
                                    .query = query,
                                    .query_rounds = 1,
                                    .steps = 1,
                                    .head = AD_HEAD_LINEAR,
                                    .costs = t->engine->costs,
                                    .optimiser.momentum = 0.9f,
                                    .half = t->engine->api->half_storage(t->engine) == AD_VERDICT_PASSED,
                                    .data_size = net->image_size,
                                    .chunks = &pictures,
                                    .chunk_count = 1};
    ad_built built = {0};
    adatom_status status = ad_build(t->ctx, &params, &built);
    for (int i = 0; status == ADATOM_OK && i < built.plan->op_count && ad_seconds() < t->deadline; i++) {
        status = ad_interrupted(t->ctx);
        const int before = *tuned;
        if (status == ADATOM_OK) status = tune_op(t, built.plan, i, tuned);
        if (*tuned > before) ad_report(t->ctx, ADATOM_PHASE_TUNING, (uint64_t)*tuned, 0);
    }
    ad_built_clear(&built);
    return status;
}

adatom_status adatom_tune_device(adatom_device *device, const adatom_tune_params *params, int *tuned) {
    tuning t = {.ctx = device->ctx, .engine = device->engine};
    ad_network net = {0};
    int ignored = 0;
    if (!tuned) tuned = &ignored;
    *tuned = 0;
    adatom_status status = AD_PARAMS(t.ctx, adatom_tune_params, params, &t.params);
    adatom_tune_params *p = &t.params;
    const ad_call outer = ad_call_begin(t.ctx, p->progress, p->user);
    AD_TRY(status);
    if (p->way < 0 || p->shot < 0 || p->query < 0 || p->tasks_at_once < 0)
        AD_TRY(ad_fail(t.ctx, ADATOM_USAGE, "way, shot, query and tasks at once must not be negative"));
    if (!strcmp(device->engine->api->name, "cpu"))
        AD_TRY(
            ad_fail(t.ctx, ADATOM_UNSUPPORTED, "the CPU engine chooses by the shape alone: there is nothing to tune"));
    if (!p->way) p->way = 5;
    if (!p->shot) p->shot = 5;
    if (!p->query) p->query = 15;
    if (!p->tasks_at_once) p->tasks_at_once = 4;
    t.deadline = ad_seconds() + (p->seconds > 0 ? p->seconds : 60);
    const adatom_model_params model = {.arch = p->arch, .sharing = p->sharing, .image_size = p->image_size};
    AD_TRY(ad_network_build(t.ctx, &model, &net));
    AD_TRY(tune_plan(&t, &net, 1u << AD_ROLE_ATOMS | 1u << AD_ROLE_HEAD, tuned));
    AD_TRY(tune_plan(&t, &net, (1u << AD_ROLE_STATISTICS) - 1, tuned));
done:
    ad_network_clear(&net);
    return ad_call_end(t.ctx, &outer, status);
}
