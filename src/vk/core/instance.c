/* The Vulkan loader, the instance, and the validation layer's messages. */
#include "vk/core/instance.h"
#include "vk/vk.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* volk finds the loader library and keeps its global entry points in process-wide pointers. They are written once,
 * under this lock; what belongs to an instance or a device is in its own table. */
static pthread_mutex_t volk_lock = PTHREAD_MUTEX_INITIALIZER;

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

static VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                                 VkDebugUtilsMessageTypeFlagsEXT types,
                                                 const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)types;
    vk_instance *instance = user;
    if (severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT) {
        atomic_fetch_add(&instance->errors, 1);
        snprintf(instance->error, sizeof instance->error, "%s", data->pMessage);
        ad_log(instance->ctx, ADATOM_LOG_ERROR, "validation: %s", data->pMessage);
    } else {
        ad_log(instance->ctx, ADATOM_LOG_WARNING, "validation: %s", data->pMessage);
    }
    return VK_FALSE;
}

static bool layer_present(const char *name) {
    VkLayerProperties layers[64];
    uint32_t count = AD_COUNT(layers);
    if (vkEnumerateInstanceLayerProperties(&count, layers) < 0) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(layers[i].layerName, name)) return true;
    return false;
}

static bool extension_present(const char *name) {
    VkExtensionProperties extensions[128];
    uint32_t count = AD_COUNT(extensions);
    if (vkEnumerateInstanceExtensionProperties(NULL, &count, extensions) < 0) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(extensions[i].extensionName, name)) return true;
    return false;
}

static adatom_status fetch_functions(vk_instance *instance) {
#define FETCH(name) instance->vk.name = (PFN_##name)vkGetInstanceProcAddr(instance->handle, #name);
    AD_VK_INSTANCE_FUNCTIONS(FETCH)
    AD_VK_INSTANCE_EXTENSION_FUNCTIONS(FETCH)
#undef FETCH
#define CHECK(name)                                                                                                    \
    if (!instance->vk.name) return ad_fail(instance->ctx, ADATOM_FAILED, "the Vulkan loader lacks the function " #name);
    AD_VK_INSTANCE_FUNCTIONS(CHECK)
#undef CHECK
    return ADATOM_OK;
}

bool ad_vk_loader(void) {
    pthread_mutex_lock(&volk_lock);
    const bool found = volkGetInstanceVersion() != 0;
    pthread_mutex_unlock(&volk_lock);
    return found;
}

adatom_status ad_vk_instance_init(adatom_context *ctx, bool validate, vk_instance *out) {
    adatom_status status = ADATOM_OK;
    *out = (vk_instance){.ctx = ctx};
    pthread_mutex_lock(&volk_lock);
    if (volkGetInstanceVersion() == 0 && volkInitialize() != VK_SUCCESS) goto done;
    if (volkGetInstanceVersion() < VK_API_VERSION_1_1) goto done;
    if (validate && !layer_present(validation_layer)) {
        status = ad_fail(ctx, ADATOM_UNSUPPORTED,
                         "validation was asked for, but %s is not installed (Debian: vulkan-validationlayers)",
                         validation_layer);
        goto done;
    }

    const char *layers[1] = {validation_layer}, *extensions[4];
    uint32_t extension_count = 0;
    VkInstanceCreateFlags flags = 0;
    if (validate || extension_present(VK_EXT_DEBUG_UTILS_EXTENSION_NAME))
        extensions[extension_count++] = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    if (validate) extensions[extension_count++] = VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME;
    if (extension_present(VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME)) { /* drivers layered on another API */
        extensions[extension_count++] = VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME;
        flags |= VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR;
    }
    const VkApplicationInfo application = {
        .sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pApplicationName = "adatom", .apiVersion = VK_API_VERSION_1_1};
    const VkValidationFeatureEnableEXT enable = VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT;
    const VkValidationFeaturesEXT features = {.sType = VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT,
                                              .enabledValidationFeatureCount = 1,
                                              .pEnabledValidationFeatures = &enable};
    const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pNext = validate ? &features : NULL,
                                       .flags = flags,
                                       .pApplicationInfo = &application,
                                       .enabledLayerCount = validate ? 1 : 0,
                                       .ppEnabledLayerNames = layers,
                                       .enabledExtensionCount = extension_count,
                                       .ppEnabledExtensionNames = extensions};
    VkResult created = vkCreateInstance(&info, NULL, &out->handle);
    if (created == VK_ERROR_INCOMPATIBLE_DRIVER) { /* a loader without any driver */
        out->handle = VK_NULL_HANDLE;
        goto done;
    }
    if (created == VK_ERROR_OUT_OF_HOST_MEMORY) { /* seldom memory: the loader's word for a file that is no JSON */
        status = ad_fail(ctx, ADATOM_NO_DEVICE,
                         "the Vulkan loader found no usable driver: vkCreateInstance gave %s, as it does where a "
                         "driver's file (VK_DRIVER_FILES) cannot be read",
                         ad_vk_result_name(created));
        goto done;
    }
    if (created < 0) {
        status = ad_vk_fail(ctx, created, "vkCreateInstance", __FILE__, __LINE__);
        goto done;
    }
    AD_TRY(fetch_functions(out));

    if (validate) {
        const VkDebugUtilsMessengerCreateInfoEXT messenger = {
            .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
            .messageSeverity =
                VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
            .messageType =
                VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_PERFORMANCE_BIT_EXT,
            .pfnUserCallback = on_message,
            .pUserData = out};
        VK(out->vk.vkCreateDebugUtilsMessengerEXT(out->handle, &messenger, NULL, &out->messenger));
    }
done:
    pthread_mutex_unlock(&volk_lock);
    if (status != ADATOM_OK) ad_vk_instance_clear(out);
    return status;
}

void ad_vk_instance_abandon(vk_instance *instance) {
    if (!instance->handle) return;
    if (instance->messenger) instance->vk.vkDestroyDebugUtilsMessengerEXT(instance->handle, instance->messenger, NULL);
    instance->messenger = VK_NULL_HANDLE;
    instance->handle = VK_NULL_HANDLE;
}

void ad_vk_instance_clear(vk_instance *instance) {
    const VkInstance handle = instance->handle;
    ad_vk_instance_abandon(instance);
    if (handle && instance->vk.vkDestroyInstance) instance->vk.vkDestroyInstance(handle, NULL);
}

adatom_status ad_vk_validated(const vk_instance *instance, int before) {
    if (atomic_load(&instance->errors) == before) return ADATOM_OK;
    return ad_fail(instance->ctx, ADATOM_FAILED, "the validation layer reported: %s", instance->error);
}
