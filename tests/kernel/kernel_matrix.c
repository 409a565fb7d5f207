/* The kernels for matrix units where there are none: compiled with the built-in functions emulated lane by lane
 * (lib/matrix.glsl), they must pass the kernel check for every shape of fragment that drivers offer. What is left
 * unproved here is the driver's part. Exit 77 as in kernel_engine.c. */
#include "verify/check.h"
#include "tests/support/hooks.h"
#include "vk/kernels/kernel.h"
#include "vk/vk.h"

#include <stdio.h>
#include <stdlib.h>

#include "emulated/conv.h"
#include "emulated/conv_dw.h"
#include "emulated/conv_dx.h"

static const struct {
    int kernel;
    const uint32_t *words;
    size_t count;
    const char *filter;
} modules[] = {
    {AD_VK_CONV_MATRIX_KHR, emulated_conv, AD_COUNT(emulated_conv), "conv/matrix/"},
    {AD_VK_CONV_DX_MATRIX_KHR, emulated_conv_dx, AD_COUNT(emulated_conv_dx), "conv-dx/matrix/"},
    {AD_VK_CONV_DW_MATRIX_KHR, emulated_conv_dw, AD_COUNT(emulated_conv_dw), "conv-dw/matrix/"},
};

static void report(void *user, const adatom_check_result *result) {
    int *shown = user;
    if (result->passed || (*shown)++ >= 10) return;
    printf("FAIL %s %s (%s): %s\n", result->operation, result->shape, result->data, result->detail);
}

/* All quick cases for the first shape, one with odd sizes, stride 2 and several images for the others. */
static bool passes(adatom_context *ctx, int m, int n, int k, const char *shape) {
    ad_engine *engine = NULL;
    bool passed = false;
    int shown = 0;
    if (ad_vk_engine_create(
            ctx, &(adatom_device_params){.size = sizeof(adatom_device_params), .precision = ADATOM_PRECISION_FP16}, 0,
            &engine) != ADATOM_OK)
        goto done;
    if (!ad_vk_test_matrix(engine, m, n, k)) {
        printf("the device has no full subgroups\n");
        goto done;
    }
    passed = true;
    for (size_t i = 0; i < AD_COUNT(modules); i++) {
        int checks = 0, failures = 0;
        ad_vk_test_replace_module(engine, modules[i].kernel, modules[i].words, modules[i].count);
        char filter[64];
        snprintf(filter, sizeof filter, "%s%s", modules[i].filter, shape);
        const adatom_check_params params = {.size = sizeof(adatom_check_params),
                                            .filter = filter,
                                            .quick = true,
                                            .seed = 1,
                                            .report = report,
                                            .user = &shown};
        const adatom_status status = ad_check_engine(engine, &params, &checks, &failures);
        printf("%s%dx%dx%d: %d checks, %d failed, %s\n", modules[i].filter, m, n, k, checks, failures,
               adatom_status_name(status));
        passed &= status == ADATOM_OK && checks > 0;
    }
done:
    if (engine) engine->api->destroy(engine);
    return passed;
}

int main(void) {
    int result = EXIT_FAILURE;
    size_t devices = 0;
    adatom_context *ctx = NULL;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK || ad_vk_list(ctx, NULL, 0, &devices) != ADATOM_OK) goto done;
    if (devices == 0) {
        printf("no Vulkan device\n");
        result = getenv("CI") ? EXIT_FAILURE : 77;
        goto done;
    }
    /* NVIDIA and AMD; NVIDIA with less depth; Intel; Mesa's llvmpipe */
    if (passes(ctx, 16, 16, 16, "") && passes(ctx, 16, 16, 8, "t1 n3 h9 w8 ") &&
        passes(ctx, 8, 16, 16, "t1 n3 h9 w8 ") && passes(ctx, 8, 8, 8, "t1 n3 h9 w8 "))
        result = EXIT_SUCCESS;
done:
    if (result == EXIT_FAILURE && ctx) printf("%s\n", adatom_context_message(ctx));
    adatom_context_destroy(&ctx);
    return result;
}
