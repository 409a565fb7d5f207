/* The kernel check, in the manner of checkasm: every operation, case and variant runs on
 *   integers  operands in [-3,3]: sums of products must equal the reference; elsewhere the bound holds
 *   reals     every element must lie within the bound that the reference derives for it
 *   repeat    the same operands again: they must give the same bytes
 * Each time, whatever is no element of an output (operands, guards, gaps) must keep its bytes. Outputs and guards start
 * as NaN, which shows when a kernel leaves an element unwritten or reads outside an operand. */
#include "verify/check.h"

#include "base/half.h"
#include "plan/activation.h"
#include "verify/cases.h"
#include "verify/reference/reference.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { INTEGERS, REALS, REPEAT, DATA_COUNT };
static const char *const data_names[DATA_COUNT] = {"integers", "reals", "repeat"};

/* The operands of integers or of reals, and the results that they must give. */
typedef struct expectation {
    uint8_t *start; /* image of the arena */
    ad_reference_role roles[AD_OP_TENSORS];
    double *other[AD_OP_TENSORS]; /* bounds of `of`; made when needed */
    int of;
} expectation;
/* What bounds a variant's errors: the roundings of its sums, those and of operands in half precision, or Winograd's. */
enum { SUMS, HALF, WINOGRAD };

typedef struct check {
    adatom_context *ctx;
    ad_engine *engine;
    adatom_check_params params;
    const ad_case *c;
    ad_plan *plan;
    int whole; /* the tensor that covers the arena */
    size_t bytes;
    expectation expected[REPEAT];
    uint8_t *got, *again, *scratch;
    int checks, failures;
    struct {
        const char *name; /* NULL: the variant is not of reduced precision, or the filter leaves it out */
        bool offered;     /* the engine offers it for some case */
    } halves[AD_OP_COUNT][AD_MAX_VARIANTS];
} check;

static size_t role_elements(const ad_tensor *t, int tasks) {
    return ad_tensor_bytes(t, tasks) / ad_type_bytes(t->type);
}

static double element(const uint8_t *image, const ad_tensor *t, size_t e) {
    const uint8_t *at = image + t->offset + e * ad_type_bytes(t->type);
    float number = 0;
    int32_t integer = 0;
    uint16_t half = 0;
    if (t->type == AD_U8) return *at;
    if (t->type == AD_F16) {
        memcpy(&half, at, sizeof half);
        return (double)ad_half_to_float(half);
    }
    memcpy(t->type == AD_F32 ? (void *)&number : (void *)&integer, at, 4);
    return t->type == AD_F32 ? (double)number : (double)integer;
}

static void expectation_clear(expectation *x) {
    ad_free(x->start);
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        ad_free(x->roles[r].value);
        ad_free(x->roles[r].bound);
        ad_free(x->other[r]);
    }
    *x = (expectation){0};
}

/* The errors of a number rounded to half precision. Vulkan leaves the direction open, so that the relative one is a
 * unit in the last of 11 binary places. Halves below 2^-14 may be flushed to zero, which is the absolute one. */
#define HALF_RELATIVE 0x1p-10
#define HALF_ABSOLUTE 0x1p-14
enum { HALF_INTEGERS = 2048 }; /* halves hold every integer up to here */

/* Widens the bounds of a result that is kept in half precision (ops.def): whatever number lies within the bound is
 * rounded once more. It is also brought down to the largest half, which takes no two numbers further apart. */
static void store_half(ad_reference_role *role) {
    for (size_t e = 0; e < role->count; e++) {
        double *value = &role->value[e], *bound = &role->bound[e];
        if (*bound == AD_REFERENCE_UNTOUCHED) continue;
        *bound += HALF_RELATIVE * (fabs(*value) + *bound) + HALF_ABSOLUTE;
        *value = AD_MIN(AD_MAX(*value, -(double)AD_HALF_MAX), (double)AD_HALF_MAX);
    }
}

static adatom_status expectation_make(const check *k, bool integers, expectation *out) {
    const ad_op *op = &k->plan->ops[0];
    if (!(out->start = ad_malloc(k->ctx, k->bytes, 1))) return ADATOM_OUT_OF_MEMORY;
    ad_case_fill(k->c, k->plan, k->params.seed, integers, out->start);
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (op->t[r] < 0) continue;
        const ad_tensor *t = &k->plan->tensors[op->t[r]];
        ad_reference_role *role = &out->roles[r];
        role->stride = t->stride;
        role->count = role_elements(t, k->c->tasks);
        role->value = ad_malloc(k->ctx, role->count, sizeof *role->value);
        if (ad_op_access(op, r) != AD_READ) role->bound = ad_malloc(k->ctx, role->count, sizeof *role->bound);
        if (!role->value || (ad_op_access(op, r) != AD_READ && !role->bound)) return ADATOM_OUT_OF_MEMORY;
        for (size_t e = 0; e < role->count; e++) role->value[e] = element(out->start, t, e);
    }
    ad_reference_run(op, out->roles);
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (out->roles[r].bound && k->plan->tensors[op->t[r]].type == AD_F16) store_half(&out->roles[r]);
    return ADATOM_OK;
}

/* Bounds where the first two operands of a sum of products are rounded to half precision first and the rest is float32.
 * With a' = a + da, |da| <= e(a) = HALF_RELATIVE |a| + HALF_ABSOLUTE, and b' likewise, |a'b' - ab| <= (|a| + e(a)) (|b|
 * + e(b)) - |a| |b|. Summed over the products, this is the difference of the operation itself on |a| + e(a), |b| + e(b)
 * and on |a|, |b|, everything else made positive too. The products of halves are exact in float32; what float32 adds,
 * and rounding the result once more where it is kept in half precision, grows with the operands by less than 1 %. */
static adatom_status half_bounds(const check *k, expectation *x) {
    const ad_op *op = &k->plan->ops[0];
    /* An activation changes what it is given by at most its largest slope times as much. */
    const bool activated = op->kind == AD_OP_CONV && op->i[0] != AD_ACT_NONE;
    const double slope = activated ? fmax(1.5, fabs(op->f[0])) : 1;
    ad_op linear = *op;
    if (activated) linear.i[0] = AD_ACT_NONE;
    ad_reference_role sides[2][AD_OP_TENSORS] = {0};
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    for (int side = 0; side < 2; side++) {
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (op->t[r] < 0) continue;
            const ad_tensor *t = &k->plan->tensors[op->t[r]];
            ad_reference_role *role = &sides[side][r];
            *role = (ad_reference_role){.stride = x->roles[r].stride, .count = x->roles[r].count};
            if (!(role->value = ad_malloc(k->ctx, role->count, sizeof *role->value))) goto done;
            for (size_t e = 0; e < role->count; e++) {
                const double v = fabs(element(x->start, t, e));
                role->value[e] = side == 1 && r < 2 ? v + HALF_RELATIVE * v + HALF_ABSOLUTE : v;
            }
        }
        ad_reference_run(&linear, sides[side]);
    }
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        if (!x->roles[r].bound) continue;
        if (!(x->other[r] = ad_malloc(k->ctx, x->roles[r].count, sizeof *x->other[r]))) goto done;
        for (size_t e = 0; e < x->roles[r].count; e++) {
            const double bound = x->roles[r].bound[e];
            const double more = slope * (sides[1][r].value[e] - sides[0][r].value[e]);
            x->other[r][e] = bound == AD_REFERENCE_UNTOUCHED ? bound : 1.01 * (bound + more);
        }
    }
    status = ADATOM_OK;
done:
    for (int side = 0; side < 2; side++)
        for (int r = 0; r < AD_OP_TENSORS; r++) ad_free(sides[side][r].value);
    return status;
}

/* Winograd's errors are scaled and activated with the sums. */
static adatom_status winograd_bounds(const check *k, expectation *x) {
    enum { COEF = 4 };
    const ad_op *op = &k->plan->ops[0];
    const bool back = op->kind != AD_OP_CONV;
    const int Y = back ? 2 : 3;
    const double slope = back || op->i[0] == AD_ACT_NONE ? 1 : fmax(1.5, fabs(op->f[0]));
    const ad_reference_role *y = &x->roles[Y], *coef = &x->roles[COEF];
    double *bound = x->other[Y] = ad_malloc(k->ctx, y->count, sizeof *bound);
    if (!bound) return ADATOM_OUT_OF_MEMORY;
    memset(bound, 0, y->count * sizeof *bound); /* between the tasks */
    if (!ad_reference_winograd(op, x->roles, bound)) return ADATOM_OUT_OF_MEMORY;
    for (size_t e = 0; e < y->count; e++) {
        const size_t task = y->stride ? e / y->stride : 0, at = y->stride ? e % y->stride : e;
        if (y->bound[e] == AD_REFERENCE_UNTOUCHED) {
            bound[e] = AD_REFERENCE_UNTOUCHED;
            continue;
        }
        const double scale = !back && coef->value ? fabs(coef->value[task * coef->stride + at % (size_t)op->g.o]) : 1;
        bound[e] = 1.01 * (y->bound[e] + slope * scale * bound[e]);
    }
    return ADATOM_OK;
}

static adatom_status make_bounds(const check *k, expectation *x, int of) {
    if (of == SUMS || x->of == of) return ADATOM_OK;
    for (int r = 0; r < AD_OP_TENSORS; r++) {
        ad_free(x->other[r]);
        x->other[r] = NULL;
    }
    const adatom_status status = of == HALF ? half_bounds(k, x) : winograd_bounds(k, x);
    x->of = status == ADATOM_OK ? of : SUMS;
    return status;
}

/* Operations whose results on small integers are integers (or quarters) that float32 holds exactly in any order of
 * summation. Without a default, so that it is asked of a new operation. */
static bool exact_on_integers(const ad_op *op) {
    switch ((ad_op_kind)op->kind) {
    case AD_OP_CONV: return op->i[0] <= AD_ACT_RELU6;
    case AD_OP_CONV_DX:
    case AD_OP_CONV_DW:
    case AD_OP_CONV_DBIAS:
    case AD_OP_COMPOSE:
    case AD_OP_COMPOSE_DPSI:
    case AD_OP_COMPOSE_DALPHA:
    case AD_OP_PACK:
    case AD_OP_ATOMS:
    case AD_OP_ATOMS_DU:
    case AD_OP_ATOMS_DPSI:
    case AD_OP_DEPTH:
    case AD_OP_DEPTH_DX:
    case AD_OP_DEPTH_DPSI:
    case AD_OP_FUSED_ATOMS:
    case AD_OP_FUSED_ATOMS_DX:
    case AD_OP_DEPTHWISE_DX:
    case AD_OP_DEPTHWISE_DW:
    case AD_OP_CHANNEL_SCALE:
    case AD_OP_CHANNEL_SCALE_BACK:
    case AD_OP_ADD:
    case AD_OP_LINEAR:
    case AD_OP_LINEAR_DX:
    case AD_OP_LINEAR_DW:
    case AD_OP_MEAN_HEAD:
    case AD_OP_MEAN_HEAD_BACK:
    case AD_OP_GATHER_ROWS:
    case AD_OP_COPY:
    case AD_OP_TASK_SUM: return true;
    case AD_OP_DEPTHWISE:
    case AD_OP_AFFINE:
    case AD_OP_AFFINE_SUMS:
    case AD_OP_AFFINE_BACK:
    case AD_OP_AFFINE_POOL:
    case AD_OP_AFFINE_POOL_BACK:
    case AD_OP_AFFINE_POOL_SUMS: return op->i[0] <= AD_ACT_RELU6;
    case AD_OP_POOL:
    case AD_OP_POOL_BACK: return op->i[0] == 0;
    case AD_OP_GATHER:
    case AD_OP_MIX:
    case AD_OP_WEIGHT_NORM:
    case AD_OP_WEIGHT_SCALE:
    case AD_OP_WEIGHT_SCALE_BACK:
    case AD_OP_BN_STATS:
    case AD_OP_BN_FOLD:
    case AD_OP_BN_RUNNING:
    case AD_OP_BN_BACK:
    case AD_OP_ADVANCE:
    case AD_OP_FILL:
    case AD_OP_BLEND:
    case AD_OP_DROP_MASK:
    case AD_OP_DROP_APPLY:
    case AD_OP_LAYER_NORM:
    case AD_OP_LAYER_NORM_BACK:
    case AD_OP_LAYER_NORM_SUMS:
    case AD_OP_ROW_NORM:
    case AD_OP_ROW_NORM_BACK:
    case AD_OP_CLASS_MEAN:
    case AD_OP_CLASS_MEAN_BACK:
    case AD_OP_SOFTMAX_CE:
    case AD_OP_SGD:
    case AD_OP_ADAM:
    case AD_OP_COUNT: break;
    }
    return false;
}

/* Says in words where byte `at` of the arena lies. */
static void name_place(const check *k, size_t at, char *out, size_t size) {
    for (int i = 0; i < k->plan->tensor_count; i++) {
        const ad_tensor *t = &k->plan->tensors[i];
        if (i == k->whole) continue;
        if (at < t->offset) {
            snprintf(out, size, "the guard before %s, byte -%zu", t->name, t->offset - at);
            return;
        }
        if (at < t->offset + ad_tensor_bytes(t, k->c->tasks)) {
            const size_t e = (at - t->offset) / ad_type_bytes(t->type);
            const size_t task = t->stride ? e / t->stride : 0, within = t->stride ? e % t->stride : e;
            snprintf(out, size, "%s[task %zu, element %zu]%s", t->name, task, within,
                     within < t->count ? "" : " (padding)");
            return;
        }
    }
    snprintf(out, size, "the guard after the last tensor, byte %zu of the arena", at);
}

/* Whether a NaN was written. Elements start as AD_CASE_NAN, which therefore does not count. */
static bool nan_written(const ad_tensor *t, const uint8_t *at, double got) {
    const uint32_t nothing = AD_CASE_NAN;
    return isnan(got) && memcmp(at, &nothing, ad_type_bytes(t->type)) != 0;
}

/* False, and a sentence in detail, if role r of the result differs from what is expected. Scratch holds the start; each
 * element that was rightly written is copied into it, so that the comparison of all other bytes finds them equal. */
static bool compare_role(const check *k, const expectation *x, int r, bool integers, int bounds, char *detail,
                         size_t size) {
    const ad_op *op = &k->plan->ops[0];
    const ad_tensor *t = &k->plan->tensors[op->t[r]];
    const size_t bytes = ad_type_bytes(t->type);
    for (size_t e = 0; e < x->roles[r].count; e++) {
        const double bound = bounds != SUMS ? x->other[r][e] : x->roles[r].bound[e], want = x->roles[r].value[e],
                     got = element(k->got, t, e);
        if ((t->stride && e % t->stride >= t->count) || bound == AD_REFERENCE_UNTOUCHED) continue;
        const bool exact = integers && bounds != WINOGRAD && !k->c->lost && exact_on_integers(op) &&
                           (t->type != AD_F16 || fabs(want) <= HALF_INTEGERS);
        if (isnan(want) ? !nan_written(t, k->got + t->offset + e * bytes, got)
                        : !(fabs(got - want) <= (exact ? 0 : bound))) {
            char place[96];
            name_place(k, t->offset + e * bytes, place, sizeof place);
            ad_print(detail, size, "%s: got %.9g, want %.9g, off by %.3g, allowed %.3g", place, got, want,
                     fabs(got - want), exact ? 0 : bound);
            return false;
        }
        memcpy(k->scratch + t->offset + e * bytes, k->got + t->offset + e * bytes, bytes);
    }
    return true;
}

static bool compare(const check *k, const expectation *x, bool integers, int bounds, char *detail, size_t size) {
    memcpy(k->scratch, x->start, k->bytes);
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (x->roles[r].bound && !compare_role(k, x, r, integers, bounds, detail, size)) return false;
    for (size_t at = 0; at < k->bytes; at++)
        if (k->scratch[at] != k->got[at]) {
            char place[96];
            uint32_t got = 0, want = 0;
            name_place(k, at, place, sizeof place);
            memcpy(&got, k->got + at / 4 * 4, 4);
            memcpy(&want, k->scratch + at / 4 * 4, 4);
            snprintf(detail, size, "%s must not change: got 0x%08" PRIx32 ", was 0x%08" PRIx32, place, got, want);
            return false;
        }
    return true;
}

static bool same_bytes(const check *k, char *detail, size_t size) {
    for (size_t at = 0; at < k->bytes; at++)
        if (k->got[at] != k->again[at]) {
            char place[96];
            name_place(k, at, place, sizeof place);
            snprintf(detail, size, "%s: two runs on the same operands differ", place);
            return false;
        }
    return true;
}

static void report(check *k, const char *variant, const char *data, const char *failure) {
    k->checks++;
    k->failures += failure != NULL;
    if (!k->params.report) return;
    char detail[768] = "";
    if (failure) {
        adatom_device_info info = ADATOM_INIT(adatom_device_info);
        k->engine->api->describe(k->engine, &info);
        snprintf(detail, sizeof detail,
                 "%s; seed %" PRIu64 "; repeat: adatom doctor --device \"%s\" --filter \"%s/%s/%s\" --seed %" PRIu64,
                 failure, k->params.seed, strcmp(info.backend, "cpu") == 0 ? "cpu" : info.name,
                 ad_op_name(k->c->op.kind), variant, k->c->shape, k->params.seed);
    }
    const adatom_check_result result = {.size = sizeof(adatom_check_result),
                                        .operation = ad_op_name(k->c->op.kind),
                                        .variant = variant,
                                        .shape = k->c->shape,
                                        .data = data,
                                        .passed = !failure,
                                        .detail = detail};
    k->params.report(k->params.user, &result);
}

static adatom_status run_once(const check *k, ad_program *program, const uint8_t *start, uint8_t *out) {
    const ad_engine_api *api = k->engine->api;
    adatom_status status = api->program_write(program, k->whole, 0, start, k->bytes);
    if (status == ADATOM_OK) status = ad_run_segment(api, program, AD_SEGMENT_STEP, 1);
    if (status == ADATOM_OK) status = api->program_read(program, k->whole, 0, out, k->bytes);
    return status;
}

/* An error of the engine is a failure of this check. Only an error that every further check would meet, too, ends them
 * all. */
static adatom_status check_variant(check *k, int variant, const char *name, int bounds) {
    const ad_engine_api *api = k->engine->api;
    char detail[400];
    ad_program *program = NULL;
    k->plan->ops[0].variant = (int16_t)variant;
    int data = INTEGERS;
    adatom_status status = ADATOM_OK;
    AD_TRY(api->program_create(k->engine, k->plan, NULL, &program));
    for (; data < REPEAT; data++) {
        AD_TRY(run_once(k, program, k->expected[data].start, k->got));
        AD_TRY(make_bounds(k, &k->expected[data], bounds));
        const bool same = compare(k, &k->expected[data], data == INTEGERS, bounds, detail, sizeof detail);
        report(k, name, data_names[data], same ? NULL : detail);
    }
    /* The repetition runs with the profile on: an engine that takes each task through the whole segment then goes
     * operation by operation, and must give the same bytes. */
    AD_TRY(api->program_profile(program, true));
    AD_TRY(run_once(k, program, k->expected[REALS].start, k->again));
    report(k, name, data_names[REPEAT], same_bytes(k, detail, sizeof detail) ? NULL : detail);
done:
    api->program_destroy(&program);
    if (status == ADATOM_OK || status == ADATOM_DEVICE_LOST || status == ADATOM_INTERRUPTED) return status;
    snprintf(detail, sizeof detail, "%.380s", adatom_context_message(k->ctx));
    report(k, name, data_names[data], detail);
    return ADATOM_OK;
}

static bool wanted(const check *k, const char *variant) {
    char name[256];
    snprintf(name, sizeof name, "%s/%s/%s", ad_op_name(k->c->op.kind), variant, k->c->shape);
    return !k->params.filter || strstr(name, k->params.filter);
}

static adatom_status check_case(check *k) {
    const ad_engine_api *api = k->engine->api;
    adatom_status status = ADATOM_OUT_OF_MEMORY;
    if (!(k->plan = ad_case_plan(k->ctx, k->c, &k->whole))) goto done;
    bool prepared = false;
    int applicable = 0;
    for (int variant = 1, count = api->variant_count(k->engine, k->c->op.kind); variant <= count; variant++) {
        const char *name = api->variant_name(k->engine, k->plan, &k->plan->ops[0], variant);
        ad_half_variant half = {0};
        const bool is_half =
            api->variant_half && api->variant_half(k->engine, k->plan, &k->plan->ops[0], variant, &half);
        if (is_half && variant < AD_MAX_VARIANTS && wanted(k, half.name)) {
            k->halves[k->c->op.kind][variant].name = half.name;
            k->halves[k->c->op.kind][variant].offered |= half.offered;
        }
        if (!name) continue;
        applicable++;
        if (!wanted(k, name)) continue;
        if (!prepared) {
            k->bytes = k->plan->arenas[0].bytes;
            uint8_t **const images[] = {&k->got, &k->again, &k->scratch};
            for (size_t i = 0; i < AD_COUNT(images); i++)
                if (!(*images[i] = ad_malloc(k->ctx, k->bytes, 1))) goto done;
            for (int data = 0; data < REPEAT; data++)
                if (expectation_make(k, data == INTEGERS, &k->expected[data]) != ADATOM_OK) goto done;
            prepared = true;
        }
        const bool winograd = api->variant_winograd && api->variant_winograd(k->engine, &k->plan->ops[0], variant);
        AD_TRY(check_variant(k, variant, name, is_half ? HALF : winograd ? WINOGRAD : SUMS));
    }
    if (applicable == 0 && wanted(k, "none"))
        report(k, "none", data_names[INTEGERS], "no variant of this engine can run it");
    status = ADATOM_OK;
done:
    for (int data = 0; data < REPEAT; data++) expectation_clear(&k->expected[data]);
    ad_free(k->got);
    ad_free(k->again);
    ad_free(k->scratch);
    k->got = k->again = k->scratch = NULL;
    ad_plan_destroy(&k->plan);
    return status;
}

adatom_status ad_check_cases(ad_engine *engine, const ad_case_list *list, const adatom_check_params *params,
                             int *checks, int *failures) {
    check k = {.ctx = engine->ctx, .engine = engine};
    if (params) k.params = *params;
    adatom_status status = ADATOM_OK;
    for (int i = 0; i < list->count && status == ADATOM_OK; i++) {
        k.c = &list->cases[i];
        if (k.params.quick && !k.c->quick) continue;
        status = ad_interrupted(k.ctx);
        if (status == ADATOM_OK) status = check_case(&k);
        if (k.params.progress) ad_report(k.ctx, ADATOM_PHASE_CHECKING, (uint64_t)i + 1, (uint64_t)list->count);
    }
    for (int kind = 0; kind < AD_OP_COUNT && k.params.report; kind++)
        for (int v = 0; v < AD_MAX_VARIANTS; v++)
            if (k.halves[kind][v].name && !k.halves[kind][v].offered)
                k.params.report(k.params.user, &(adatom_check_result){.size = sizeof(adatom_check_result),
                                                                      .operation = ad_op_name(kind),
                                                                      .variant = k.halves[kind][v].name,
                                                                      .shape = "",
                                                                      .data = "",
                                                                      .passed = true,
                                                                      .not_offered = true,
                                                                      .detail = ""});
    if (checks) *checks = k.checks;
    if (failures) *failures = k.failures;
    if (status == ADATOM_OK && k.checks == 0)
        status = ad_fail(k.ctx, ADATOM_USAGE, "no check matches '%s'", k.params.filter ? k.params.filter : "");
    if (status == ADATOM_OK && k.failures > 0)
        status = ad_fail(k.ctx, ADATOM_CHECK_FAILED, "%d of %d kernel checks failed on the %s engine", k.failures,
                         k.checks, engine->api->name);
    return status;
}

adatom_status ad_check_engine(ad_engine *engine, const adatom_check_params *params, int *checks, int *failures) {
    ad_case_list list = {0};
    if (checks) *checks = 0;
    if (failures) *failures = 0;
    adatom_status status = ad_case_list_make(engine->ctx, &list);
    if (status == ADATOM_OK) status = ad_check_cases(engine, &list, params, checks, failures);
    ad_case_list_clear(&list);
    return status;
}
