/* A Vulkan driver that ends the process when an instance is made, as a broken installation can. */
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define EXPORT __attribute__((visibility("default")))
EXPORT VkResult vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version);
EXPORT PFN_vkVoidFunction vk_icdGetInstanceProcAddr(VkInstance instance, const char *name);

VkResult vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    *version = 5;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                                      const VkAllocationCallbacks *callbacks, VkInstance *out) {
    (void)info;
    (void)callbacks;
    (void)out;
    abort();
}

static VKAPI_ATTR VkResult VKAPI_CALL list_extensions(const char *layer, uint32_t *count, VkExtensionProperties *out) {
    (void)layer;
    (void)out;
    *count = 0;
    return VK_SUCCESS;
}

PFN_vkVoidFunction vk_icdGetInstanceProcAddr(VkInstance instance, const char *name) {
    (void)instance;
    if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)create_instance;
    if (!strcmp(name, "vkEnumerateInstanceExtensionProperties")) return (PFN_vkVoidFunction)list_extensions;
    return NULL;
}
