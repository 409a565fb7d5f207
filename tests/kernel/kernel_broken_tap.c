/* The permanent positive control: a convolution shader that leaves out one tap, put in the place of the sound one, must
 * fail the kernel check, in the variant that uses it and in no other. Exit 77 as in kernel_engine.c. */
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
    const char *variant;
} broken[] = {
    {AD_VK_CONV, broken_CONV, AD_COUNT(broken_CONV), "shared"},
    {AD_VK_CONV_REGISTER, broken_CONV_REGISTER, AD_COUNT(broken_CONV_REGISTER), "register"},
    {AD_VK_CONV_REGISTER_TEXEL, broken_CONV_REGISTER_TEXEL, AD_COUNT(broken_CONV_REGISTER_TEXEL), "texel"},
};

typedef struct tally {
    const char *variant;
    int expected, elsewhere;
} tally;

static void count(void *user, const adatom_check_result *result) {
    tally *t = user;
    if (result->passed) return;
    if (strcmp(result->variant, t->variant) == 0)
        t->expected++;
    else
        t->elsewhere++;
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
        tally t = {.variant = broken[b].variant};
        const adatom_check_params params = {.size = sizeof(adatom_check_params),
                                            .filter = "conv/",
                                            .quick = true,
                                            .seed = 1,
                                            .report = count,
                                            .user = &t};
        const adatom_status status = ad_check_engine(engine, &params, NULL, NULL);
        printf("conv/%s without its last tap: %d failures, %d in other variants, %s\n", t.variant, t.expected,
               t.elsewhere, adatom_status_name(status));
        if (status != ADATOM_CHECK_FAILED || t.expected == 0 || t.elsewhere > 0) goto done;
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
