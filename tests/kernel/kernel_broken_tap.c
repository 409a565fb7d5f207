/* The permanent positive control: a convolution shader that leaves out one tap, put in the place of the sound one, must
 * fail the kernel check, in every variant that uses it and in no other. Exit 77 as in kernel_engine.c. */
#include "verify/cases.h"
#include "verify/check.h"
#include "tests/support/hooks.h"
#include "vk/kernels/kernel.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broken/CONV.h"
#include "broken/CONV_REGISTER.h"
#include "broken/CONV_REGISTER_TEXEL.h"

static const struct {
    int kernel;
    const uint32_t *words;
    size_t count;
} broken[] = {
    {AD_VK_CONV, broken_CONV, AD_COUNT(broken_CONV)},
    {AD_VK_CONV_REGISTER, broken_CONV_REGISTER, AD_COUNT(broken_CONV_REGISTER)},
    {AD_VK_CONV_REGISTER_TEXEL, broken_CONV_REGISTER_TEXEL, AD_COUNT(broken_CONV_REGISTER_TEXEL)},
};

/* By variant of CONV, from 1: whether it uses the kernel in some quick case, its name, and how many checks of it
 * failed. */
typedef struct tally {
    bool uses[AD_MAX_VARIANTS];
    const char *name[AD_MAX_VARIANTS];
    int failures[AD_MAX_VARIANTS];
} tally;

static adatom_status find_users(ad_engine *engine, int kernel, tally *out) {
    const ad_engine_api *api = engine->api;
    ad_case_list list;
    adatom_status status = ad_case_list_make(engine->ctx, &list);
    *out = (tally){0};
    for (int i = 0; i < list.count && status == ADATOM_OK; i++) {
        const ad_case *c = &list.cases[i];
        int whole = -1;
        if (c->op.kind != AD_OP_CONV || !c->quick) continue;
        ad_plan *plan = ad_case_plan(engine->ctx, c, &whole);
        if (!plan) status = ADATOM_OUT_OF_MEMORY;
        for (int v = 1; plan && v <= api->variant_count(engine, AD_OP_CONV); v++) {
            ad_vk_recipe recipe;
            plan->ops[0].variant = (int16_t)v;
            if (!ad_vk_test_lower(engine, plan, &plan->ops[0], &recipe)) continue;
            out->name[v] = api->variant_name(engine, plan, &plan->ops[0], v);
            for (int l = 0; l < recipe.count; l++) out->uses[v] |= recipe.launches[l].kernel == kernel;
        }
        ad_plan_destroy(&plan);
    }
    ad_case_list_clear(&list);
    return status;
}

static void count(void *user, const adatom_check_result *result) {
    tally *t = user;
    for (int v = 1; v < AD_MAX_VARIANTS && !result->passed; v++)
        t->failures[v] += t->name[v] && strcmp(result->variant, t->name[v]) == 0;
}

int main(void) {
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
    for (size_t b = 0; b < AD_COUNT(broken); b++) {
        if (ad_vk_engine_create(ctx, &ADATOM_INIT(adatom_device_params), 0, &engine) != ADATOM_OK) goto done;
        ad_vk_test_replace_module(engine, broken[b].kernel, broken[b].words, broken[b].count);
        tally t;
        if (find_users(engine, broken[b].kernel, &t) != ADATOM_OK) goto done;
        const adatom_check_params params = {.size = sizeof(adatom_check_params),
                                            .filter = "conv/",
                                            .quick = true,
                                            .seed = 1,
                                            .report = count,
                                            .user = &t};
        const adatom_status status = ad_check_engine(engine, &params, NULL, NULL);
        int users = 0;
        bool found = true;
        for (int v = 1; v < AD_MAX_VARIANTS; v++) {
            users += t.uses[v];
            found &= t.uses[v] == (t.failures[v] > 0);
            if (t.name[v])
                printf("conv/%s, which %s the kernel without its last tap: %d failures\n", t.name[v],
                       t.uses[v] ? "uses" : "does not use", t.failures[v]);
        }
        if (status != ADATOM_CHECK_FAILED || users == 0 || !found) goto done;
        engine->api->destroy(engine);
        engine = NULL;
    }
    result = EXIT_SUCCESS;
done:
    if (result == EXIT_FAILURE && ctx) printf("%s\n", adatom_context_message(ctx));
    if (engine) engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
    return result;
}
