/* The kernel check on a real engine: kernel_engine cpu|vulkan|half FAMILY; half: the half variants of the Vulkan
 * engine. Plain program, one process a family: a Vulkan device does not survive a fork. Exit 77 where there is no
 * Vulkan device, a failure if CI is set, since a software driver is there. */
#include "verify/check.h"
#include "cpu/cpu.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int first, last;
} families[] = {
    {"data", AD_OP_GATHER, AD_OP_GATHER_ROWS},
    {"conv", AD_OP_CONV, AD_OP_CONV_DBIAS},
    {"compose", AD_OP_COMPOSE, AD_OP_PACK},
    {"stages", AD_OP_ATOMS, AD_OP_DEPTH_DPSI},
    {"fused", AD_OP_FUSED_ATOMS, AD_OP_FUSED_ATOMS_DX},
    {"norm", AD_OP_BN_STATS, AD_OP_ADD},
    {"pool", AD_OP_POOL, AD_OP_AFFINE_POOL_SUMS},
    {"head", AD_OP_LINEAR, AD_OP_SOFTMAX_CE},
    {"optimiser", AD_OP_SGD, AD_OP_COPY},
    {"products", AD_OP_CONV, AD_OP_CONV_DW}, /* what has half variants */
};

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

/* variant: "" for all of them. */
static int check_family(ad_engine *engine, const char *variant, int first, int last) {
    int all = 0, bad = 0, shown = 0;
    for (int kind = first; kind <= last; kind++) {
        char filter[64];
        snprintf(filter, sizeof filter, "%s/%s", ad_op_name(kind), variant);
        const adatom_check_params params = {
            .size = sizeof(adatom_check_params), .filter = filter, .seed = 1, .report = report, .user = &shown};
        int checks = 0, failures = 0;
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
    return bad ? EXIT_FAILURE : EXIT_SUCCESS;
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
    const bool half = strcmp(argv[1], "half") == 0;
    for (size_t f = 0; engine && f < AD_COUNT(families); f++)
        if (strcmp(families[f].name, argv[2]) == 0)
            result = check_family(engine, half ? "half/" : "", families[f].first, families[f].last);
    if (engine && strcmp(argv[2], "accumulate") == 0) result = check_flags(engine);
    if (engine) engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
    return result;
}
