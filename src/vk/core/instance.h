/* The Vulkan instance, and what the validation layer says. */
#ifndef AD_VK_INSTANCE_H
#define AD_VK_INSTANCE_H

#include "vk/core/functions.h"
#include "vk/core/result.h"

typedef struct vk_instance {
    adatom_context *ctx;
    VkInstance handle;
    vk_instance_functions vk;
    VkDebugUtilsMessengerEXT messenger;
    atomic_int errors;
    char error[768]; /* the latest one */
} vk_instance;

/* No loader, or none of Vulkan 1.1: OK with handle VK_NULL_HANDLE. The address must stay valid until
 * ad_vk_instance_clear. */
adatom_status ad_vk_instance_init(adatom_context *ctx, bool validate, vk_instance *out);
void ad_vk_instance_clear(vk_instance *instance);
/* Leaves the instance, of which a device that does not answer may be using something; its messages end. */
void ad_vk_instance_abandon(vk_instance *instance);
/* FAILED with the validation layer's message if it has reported an error since `before` errors were counted. */
adatom_status ad_vk_validated(const vk_instance *instance, int before);
#endif
