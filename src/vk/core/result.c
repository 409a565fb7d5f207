#include "vk/core/result.h"

#include <stdio.h>
#include <string.h>

const char *ad_vk_result_name(VkResult result) {
    switch (result) {
#define NAME(x)                                                                                                        \
    case x: return #x;
        NAME(VK_NOT_READY)
        NAME(VK_TIMEOUT)
        NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
        NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY)
        NAME(VK_ERROR_INITIALIZATION_FAILED)
        NAME(VK_ERROR_DEVICE_LOST)
        NAME(VK_ERROR_MEMORY_MAP_FAILED)
        NAME(VK_ERROR_LAYER_NOT_PRESENT)
        NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
        NAME(VK_ERROR_FEATURE_NOT_PRESENT)
        NAME(VK_ERROR_INCOMPATIBLE_DRIVER)
        NAME(VK_ERROR_TOO_MANY_OBJECTS)
        NAME(VK_ERROR_FRAGMENTED_POOL)
        NAME(VK_ERROR_OUT_OF_POOL_MEMORY)
        NAME(VK_ERROR_INVALID_SHADER_NV)
        NAME(VK_ERROR_UNKNOWN)
#undef NAME
    default: return "an unknown VkResult";
    }
}

adatom_status ad_vk_fail(adatom_context *ctx, VkResult result, const char *call, const char *file, int line) {
    const char *slash = strrchr(file, '/'), *end = strchr(call, '('), *begin = end ? end : call;
    while (begin > call && begin[-1] != '.' && begin[-1] != '>' && begin[-1] != ' ') begin--;
    const int length = end ? (int)(end - begin) : (int)strlen(begin);
    char where[160];
    snprintf(where, sizeof where, "%.*s gave %s (%d) at %s:%d", length, begin, ad_vk_result_name(result), (int)result,
             slash ? slash + 1 : file, line);
    switch (result) {
    case VK_ERROR_DEVICE_LOST:
        return ad_fail(ctx, ADATOM_DEVICE_LOST,
                       "the device was lost (%s): the driver reset it or it was removed; nothing more can run on it in "
                       "this process",
                       where);
    case VK_ERROR_OUT_OF_DEVICE_MEMORY: return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of device memory: %s", where);
    case VK_ERROR_OUT_OF_HOST_MEMORY: return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of host memory: %s", where);
    default: return ad_fail(ctx, ADATOM_FAILED, "%s", where);
    }
}
