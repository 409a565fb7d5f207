/* Asking a device for features and properties of extensions: which it lists, and the chains of structs that it fills.
 */
#ifndef AD_VK_CHAIN_H
#define AD_VK_CHAIN_H

#include <stdbool.h>
#include <string.h>
#include <volk.h>

static inline bool ad_vk_listed(const VkExtensionProperties *extensions, uint32_t count, const char *name) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(extensions[i].extensionName, name)) return true;
    return false;
}

/* Puts a struct behind the head of a chain, VkPhysicalDeviceFeatures2 or VkPhysicalDeviceProperties2. */
static inline void ad_vk_chain(void *head, void *link) {
    VkBaseOutStructure *first = head, *second = link;
    second->pNext = first->pNext;
    first->pNext = second;
}
#endif
