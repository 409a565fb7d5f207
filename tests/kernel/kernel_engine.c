/* The kernel check on a real engine: kernel_engine cpu|vulkan|half FAMILY. half: the half variants of the Vulkan
 * engine. Two words besides the families check the cases: accumulate, in-place. A plain program, one process a family:
 * a Vulkan device does not survive a fork. Exit 77 where there is no Vulkan device, a failure if CI is set, since a
 * software driver is there. */
#include "verify/cases.h"
#include "verify/check.h"
#include "cpu/cpu.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The families and operations in the order of ops.def; a family is followed by its operations. */
static const struct {
    const char *family;
    int kind; /* -1: the row is the family itself */
} rows[] = {
#define AD_FAMILY(base) {#base, -1},
#define AD_OP(NAME, name, roles) {NULL, AD_OP_##NAME},
#include "plan/ops.def"
};

/* The base name of the files that hold the operation. */
static const char *family_of(int kind) {
    const char *family = "";
    for (size_t i = 0; i < AD_COUNT(rows); i++) {
        if (rows[i].family) family = rows[i].family;
        if (rows[i].kind == kind) return family;
    }
    return "";
}

static void report(void *user, const adatom_check_result *result) {
    int *shown = user;
    if (result->passed || (*shown)++ >= 40) return;
    printf("FAIL %s/%s/%s (%s): %s\n", result->operation, result->variant, result->shape, result->data, result->detail);
}

static adatom_status open_engine(adatom_context *ctx, const char *name, ad_engine **out) {
    if (strcmp(name, "cpu") == 0)
        return ad_cpu_engine_create(ctx, 2, out); /* with more, the cases have too few tasks to run by task */
    size_t count = 0;
    adatom_status status = ad_vk_list(ctx, NULL, 0, &count);
    if (status != ADATOM_OK) return status;
    if (count == 0) return ad_fail(ctx, ADATOM_NO_DEVICE, "no Vulkan device");
    const bool half = strcmp(name, "half") == 0;
    return ad_vk_engine_create(
        ctx,
        &(adatom_device_params){.size = sizeof(adatom_device_params),
                                .precision = half ? ADATOM_PRECISION_FP16 : ADATOM_PRECISION_FP32},
        0, out);
}

/* The check of all operations of a family; half: of their variants that round operands to half precision. */
static int check_family(ad_engine *engine, const char *family, bool half) {
    int all = 0, bad = 0, shown = 0;
    for (int kind = 0; kind < AD_OP_COUNT; kind++) {
        char filter[64];
        if (strcmp(family_of(kind), family) != 0 || (half && kind == AD_OP_CONV_DBIAS)) continue;
        snprintf(filter, sizeof filter, "%s/%s", ad_op_name(kind), half ? "half/" : "");
        const adatom_check_params params = {
            .size = sizeof(adatom_check_params), .filter = filter, .seed = 1, .report = report, .user = &shown};
        int checks = 0, failures = 0;
        if (engine->api->variant_count(engine, kind) >= AD_MAX_VARIANTS) {
            printf("FAIL %s has more variants than arrays by variant have room for\n", ad_op_name(kind));
            bad++;
        }
        const double start = ad_seconds();
        const adatom_status status = ad_check_engine(engine, &params, &checks, &failures);
        printf("%-16s %4d checks, %d failed, %.1f s\n", ad_op_name(kind), checks, failures, ad_seconds() - start);
        if (status != ADATOM_OK && status != ADATOM_CHECK_FAILED) {
            printf("%s\n", adatom_context_message(engine->ctx));
            bad++;
        }
        all += checks;
        bad += failures;
    }
    printf("%d checks, %d failed\n", all, bad);
    return bad || !all ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* AD_ACCUMULATE: refused where ops.def lists no role that adds; where it does, some case adds, so that the check above
 * proves it. */
static int check_flags(ad_engine *engine) {
    const ad_engine_api *api = engine->api;
    ad_case_list list;
    int bad = ad_case_list_make(engine->ctx, &list) != ADATOM_OK, tried = 0;
    for (int kind = 0; kind < AD_OP_COUNT; kind++) {
        bool adds = false, proved = false;
        for (int r = 0; r < AD_OP_TENSORS; r++) adds |= ad_op_role_adds(kind, r);
        for (int i = 0; i < list.count; i++) {
            ad_case c = list.cases[i];
            if (c.op.kind != kind) continue;
            proved |= (c.op.flags & AD_ACCUMULATE) != 0;
            if (adds) continue;
            int whole = -1;
            ad_program *program = NULL;
            c.op.flags |= AD_ACCUMULATE;
            ad_plan *plan = ad_case_plan(engine->ctx, &c, &whole);
            const adatom_status status =
                plan ? api->program_create(engine, plan, NULL, &program) : ADATOM_OUT_OF_MEMORY;
            api->program_destroy(&program);
            ad_plan_destroy(&plan);
            tried++;
            if (status == ADATOM_USAGE && strstr(adatom_context_message(engine->ctx), "cannot add to its results"))
                continue;
            printf("FAIL %s %s: told to add, it ends with %d: %s\n", ad_op_name(kind), c.shape, status,
                   adatom_context_message(engine->ctx));
            bad++;
        }
        if (adds == proved) continue;
        printf("FAIL %s: %s\n", ad_op_name(kind), adds ? "no case adds" : "a case adds");
        bad++;
    }
    ad_case_list_clear(&list);
    printf("%d cases told to add, %d failed\n", tried, bad);
    return bad || !tried ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Whether the case has role `role` in the place of `other`. */
static bool is_in_place(const ad_case *c, int role, int other) {
    return c->op.t[role] >= 0 && c->op.t[other] >= 0 && c->op.t[role] == c->op.t[other];
}

/* For each pair of roles that ops.def lets be one tensor ("=NAME"), and for each variant of the engine, some quick case
 * has them so. */
static int check_in_place(ad_engine *engine) {
    const ad_engine_api *api = engine->api;
    ad_case_list list;
    int bad = ad_case_list_make(engine->ctx, &list) != ADATOM_OK, pairs = 0;
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        for (int role = 0; role < AD_OP_TENSORS; role++)
            for (int other = 0; other < AD_OP_TENSORS; other++) {
                if (!ad_op_role_same(kind, role, other)) continue;
                bool runs[AD_MAX_VARIANTS] = {0}, proved[AD_MAX_VARIANTS] = {0};
                for (int i = 0; i < list.count; i++) {
                    const ad_case *c = &list.cases[i];
                    int whole = -1;
                    ad_plan *plan = c->op.kind == kind && c->quick ? ad_case_plan(engine->ctx, c, &whole) : NULL;
                    for (int v = 1; plan && v <= api->variant_count(engine, kind); v++) {
                        if (!api->variant_name(engine, plan, &plan->ops[0], v)) continue;
                        runs[v] = true;
                        proved[v] |= is_in_place(c, role, other);
                    }
                    ad_plan_destroy(&plan);
                }
                pairs++;
                for (int v = 1; v <= api->variant_count(engine, kind); v++) {
                    if (!runs[v] || proved[v]) continue;
                    printf("FAIL %s, variant %d: no quick case has role %d in the place of role %d\n", ad_op_name(kind),
                           v, role, other);
                    bad++;
                }
            }
    ad_case_list_clear(&list);
    printf("%d pairs of roles that may be one tensor, %d failed\n", pairs, bad);
    return bad || !pairs ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    int result = EXIT_FAILURE;
    adatom_context *ctx = NULL;
    ad_engine *engine = NULL;
    if (argc != 3 || adatom_context_create(NULL, &ctx) != ADATOM_OK) return EXIT_FAILURE;
    const adatom_status status = open_engine(ctx, argv[1], &engine);
    if (status != ADATOM_OK) {
        printf("%s: %s\n", argv[1], adatom_context_message(ctx));
        result = status == ADATOM_NO_DEVICE && !getenv("CI") ? 77 : EXIT_FAILURE;
    }
    if (engine && strcmp(argv[2], "accumulate") == 0)
        result = check_flags(engine);
    else if (engine && strcmp(argv[2], "in-place") == 0)
        result = check_in_place(engine);
    else if (engine)
        result = check_family(engine, argv[2], strcmp(argv[1], "half") == 0);
    if (engine) engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
    return result;
}
