/* What is in the kernels' SPIR-V that no software driver shows: kernel_spirv flow|bindings.
 *   flow      every barrier and subgroup operation is reached by all invocations of a workgroup
 *   bindings  where an operation works in place, the kernel touches the tensor through one binding. Compilers may
 * assume that two bindings share no memory: they may then read an operand once more after it was overwritten. Each
 * first proves on flawed.comp that it finds what it looks for. Exit 77 as in kernel_engine.c. */
#include "tests/support/hooks.h"
#include "tests/support/spirv.h"
#include "verify/cases.h"
#include "vk/kernels/kernel.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flawed/all.h"

static int check_flow(void) {
    int bad = 0, all = 0, seen = 0;
    for (size_t f = 0; f < AD_COUNT(flawed); f++) {
        const int found = spirv_divergent_barriers(flawed[f].words, flawed[f].count, &seen);
        const bool sound = f == 0 || f == 7;
        if ((found == 0) == sound) continue;
        printf("FAIL flawed.comp %zu: %d of %d barriers are found to be divergent\n", f, found, seen);
        bad++;
    }
    for (int k = 0; k < AD_VK_KERNEL_COUNT; k++) {
        size_t count = 0;
        const char *name = NULL;
        const uint32_t *words = ad_vk_test_module(k, &count, &name);
        if (count <= 1) continue; /* it is left out of this build: cmake/Shaders.cmake */
        const int found = spirv_divergent_barriers(words, count, &seen);
        all += seen;
        if (found) printf("FAIL %s: %d of %d barriers are divergent\n", name, found, seen);
        bad += found;
    }
    printf("%d barriers and subgroup operations, %d failed\n", all, bad);
    return bad || !all ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool control_is_found(size_t f) {
    static const uint32_t in_place[] = {1};
    uint32_t read = 0, written = 0;
    spirv_touched_bindings(flawed[f].words, flawed[f].count, in_place, 1, &read, &written);
    return read == 1 && written == (f == 7 ? 2u : 1u);
}

/* The number of pairs of bindings of a launch that hold the same tensor and of which one is written. */
static int shared_pairs(const ad_op *op, const ad_vk_launch *l) {
    uint32_t read = 0, written = 0;
    int pairs = 0;
    size_t count = 0;
    const char *name = NULL;
    const uint32_t *words = ad_vk_test_module(l->kernel, &count, &name);
    spirv_touched_bindings(words, count, l->spec, l->spec_count, &read, &written);
    for (int a = 0; a < AD_OP_TENSORS; a++)
        for (int b = a + 1; b < AD_OP_TENSORS; b++) {
            const bool roles =
                l->bind[a] >= 0 && l->bind[b] >= 0 && l->bind[a] < AD_OP_TENSORS && l->bind[b] < AD_OP_TENSORS;
            if (!roles || op->t[l->bind[a]] != op->t[l->bind[b]]) continue;
            const bool both = ((read | written) >> a & 1) && ((read | written) >> b & 1);
            pairs += both && ((written >> a & 1) || (written >> b & 1));
        }
    return pairs;
}

static int check_bindings(ad_engine *engine) {
    const ad_engine_api *api = engine->api;
    ad_case_list list = {0};
    int bad = 0, tried = 0;
    if (!control_is_found(0) || !control_is_found(7)) {
        printf("FAIL flawed.comp: its bindings are not found\n");
        return EXIT_FAILURE;
    }
    if (ad_case_list_make(engine->ctx, &list) != ADATOM_OK) return EXIT_FAILURE;
    for (int i = 0; i < list.count; i++) {
        const ad_case *c = &list.cases[i];
        bool in_place = false;
        for (int r = 0; r < AD_OP_TENSORS; r++) in_place |= c->op.t[r] >= 0 && c->op.t[r] != r;
        if (!in_place) continue;
        int whole = -1;
        ad_plan *plan = ad_case_plan(engine->ctx, c, &whole);
        for (int v = 1; plan && v <= api->variant_count(engine, c->op.kind); v++) {
            ad_vk_recipe recipe;
            plan->ops[0].variant = (int16_t)v;
            if (!ad_vk_test_lower(engine, plan, &plan->ops[0], &recipe)) continue;
            tried++;
            for (int l = 0; l < recipe.count; l++) {
                if (!shared_pairs(&plan->ops[0], &recipe.launches[l])) continue;
                printf("FAIL %s %s: launch %d touches one tensor through two bindings\n", ad_op_name(c->op.kind),
                       c->shape, l);
                bad++;
            }
        }
        ad_plan_destroy(&plan);
    }
    ad_case_list_clear(&list);
    printf("%d cases in place, %d failed\n", tried, bad);
    return bad || !tried ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "flow") == 0) return check_flow();
    int result = EXIT_FAILURE;
    size_t devices = 0;
    adatom_context *ctx = NULL;
    ad_engine *engine = NULL;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK || ad_vk_list(ctx, NULL, 0, &devices) != ADATOM_OK) goto done;
    if (devices == 0) {
        printf("no Vulkan device\n");
        result = getenv("CI") ? EXIT_FAILURE : 77;
        goto done;
    }
    if (ad_vk_engine_create(ctx, &(adatom_device_params){0}, 0, &engine) == ADATOM_OK) result = check_bindings(engine);
done:
    if (engine) engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
    return result;
}
