/* Results of Vulkan calls as statuses and sentences. */
#ifndef AD_VK_RESULT_H
#define AD_VK_RESULT_H

#include "base/base.h"

#include <volk.h>

/* Runs a Vulkan call; a failure sets `status` and the message of `ctx` (both in scope) and leaves through `done:`. */
#define VK(call)                                                                                                       \
    do {                                                                                                               \
        VkResult vk_result = (call);                                                                                   \
        if (vk_result < 0) {                                                                                           \
            status = ad_vk_fail(ctx, vk_result, #call, __FILE__, __LINE__);                                            \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)

adatom_status ad_vk_fail(adatom_context *ctx, VkResult result, const char *call, const char *file, int line);
const char *ad_vk_result_name(VkResult result);
#endif
