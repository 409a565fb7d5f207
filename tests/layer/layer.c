/* A Vulkan layer for tests: the driver below it looks like a smaller device, and calls can be made to fail. With the
 * validation layer above it, validation judges by the smaller limits. Environment:
 *   LAYER_LIMITS=1           the least limits that Vulkan 1.1 allows, no timestamps and only basic subgroup operations;
 *                            single ones are changed by LAYER_STORAGE_BUFFERS (4 a stage), LAYER_INVOCATIONS (128 a
 *                            workgroup), LAYER_SHARED (16384 bytes), LAYER_RANGE (128 MiB), LAYER_TEXELS (65536),
 *                            LAYER_GROUPS (65535 an axis), LAYER_ALLOCATIONS (4096), LAYER_ALLOCATION (1 GiB in one)
 *   LAYER_TYPE=N             the VkPhysicalDeviceType, e.g. 2: a discrete GPU, and the driver is one for such; with
 *                            LAYER_DRIVER=1 the driver tells what it is
 *   LAYER_VERSION_1_0=1      a device of Vulkan 1.0
 *   LAYER_NO_SHUFFLE=1       no subgroup operations but the basic ones
 *   LAYER_HEAP=BYTES         the size of the memory heap
 *   LAYER_SPLIT_MEMORY=1     device memory that the host cannot map, as on a discrete GPU
 *   LAYER_FAIL=CALL:N:CODE   the N-th (0: the first) call of that name gives CODE; with LAYER_STICKY=1 every later call
 *                            gives it, too
 *   LAYER_NAMES=1            prints the debug names of objects and the labels of command buffers */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

#define EXPORT __attribute__((visibility("default")))
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* One instance and one device at a time, which is what the tests use. */
static struct {
    PFN_vkGetInstanceProcAddr instance_function;
    PFN_vkGetDeviceProcAddr device_function;
    VkInstance instance;
    VkDevice device;
    /* Fetched while the instance is made: later the loader gives the top of the chain for these names. */
    PFN_vkEnumeratePhysicalDevices enumerate;
    PFN_vkGetPhysicalDeviceProperties properties;
    PFN_vkGetPhysicalDeviceProperties2 properties2;
    PFN_vkGetPhysicalDeviceQueueFamilyProperties queues;
    PFN_vkGetPhysicalDeviceMemoryProperties memory;
    PFN_vkGetPhysicalDeviceMemoryProperties2 memory2;
} next;

EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *negotiation);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_function(VkDevice device, const char *name);
static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_function(VkInstance instance, const char *name);

static unsigned long number(const char *name, unsigned long otherwise) {
    const char *text = getenv(name);
    return text ? strtoul(text, NULL, 0) : otherwise;
}
static uint32_t number32(const char *name, uint32_t otherwise) { return (uint32_t)number(name, otherwise); }
static int asked(const char *name) { return getenv(name) != NULL; }

/* ---- failures ---- */

/* What the call of this name gives instead of being made; 0: nothing. `count`: calls of the name so far. */
static VkResult failure(const char *name, unsigned long *count) {
    static int lost;
    char wanted[64];
    unsigned long at;
    int code;
    const char *text = getenv("LAYER_FAIL");
    const unsigned long now = (*count)++;
    if (lost && asked("LAYER_STICKY")) return (VkResult)lost;
    if (!text || sscanf(text, "%63[^:]:%lu:%d", wanted, &at, &code) != 3 || now != at || strcmp(name, wanted) != 0)
        return VK_SUCCESS;
    fprintf(stderr, "layer: call %lu of %s gives %d\n", at, name, code);
    lost = code;
    return (VkResult)code;
}

/* clang-format off */
#define CALLS(F) \
    F(vkQueueSubmit, (VkQueue queue, uint32_t n, const VkSubmitInfo *submits, VkFence fence), \
      (queue, n, submits, fence)) \
    F(vkWaitForFences, (VkDevice d, uint32_t n, const VkFence *fences, VkBool32 all, uint64_t ns), \
      (d, n, fences, all, ns)) \
    F(vkResetFences, (VkDevice d, uint32_t n, const VkFence *fences), (d, n, fences)) \
    F(vkBindBufferMemory, (VkDevice d, VkBuffer buffer, VkDeviceMemory memory, VkDeviceSize at), \
      (d, buffer, memory, at)) \
    F(vkMapMemory, (VkDevice d, VkDeviceMemory memory, VkDeviceSize at, VkDeviceSize size, \
      VkMemoryMapFlags flags, void **out), \
      (d, memory, at, size, flags, out)) \
    F(vkCreateComputePipelines, (VkDevice d, VkPipelineCache cache, uint32_t n, \
      const VkComputePipelineCreateInfo *info, \
      const VkAllocationCallbacks *a, VkPipeline *out), (d, cache, n, info, a, out)) \
    F(vkAllocateDescriptorSets, (VkDevice d, const VkDescriptorSetAllocateInfo *info, VkDescriptorSet *out), \
      (d, info, out)) \
    F(vkAllocateCommandBuffers, (VkDevice d, const VkCommandBufferAllocateInfo *info, VkCommandBuffer *out), \
      (d, info, out)) \
    F(vkBeginCommandBuffer, (VkCommandBuffer commands, const VkCommandBufferBeginInfo *info), (commands, info)) \
    F(vkEndCommandBuffer, (VkCommandBuffer commands), (commands)) \
    F(vkGetPipelineCacheData, (VkDevice d, VkPipelineCache cache, size_t *size, void *data), (d, cache, size, data)) \
    CREATE(F, Buffer) CREATE(F, BufferView) CREATE(F, ShaderModule) CREATE(F, DescriptorPool) CREATE(F, \
      DescriptorSetLayout) \
    CREATE(F, PipelineLayout) CREATE(F, PipelineCache) CREATE(F, CommandPool) CREATE(F, Fence) CREATE(F, QueryPool)
#define CREATE(F, Thing) \
    F(vkCreate##Thing, (VkDevice d, const Vk##Thing##CreateInfo *info, const VkAllocationCallbacks *a, \
      Vk##Thing *out), (d, info, a, out))

#define DEFINE(name, parameters, arguments) \
    static VKAPI_ATTR VkResult VKAPI_CALL layer_##name parameters { \
        static unsigned long count; \
        const VkResult failed = failure(#name, &count); \
        return failed ? failed : ((PFN_##name)next.device_function(next.device, #name))arguments; \
    }
CALLS(DEFINE)
/* clang-format on */

static VKAPI_ATTR VkResult VKAPI_CALL layer_vkAllocateMemory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                             const VkAllocationCallbacks *callbacks,
                                                             VkDeviceMemory *out) {
    static unsigned long count;
    const VkResult failed = failure("vkAllocateMemory", &count);
    if (failed) return failed;
    VkMemoryAllocateInfo changed = *info;
    if (asked("LAYER_SPLIT_MEMORY")) changed.memoryTypeIndex = 0; /* the driver below has one type that is both */
    return ((PFN_vkAllocateMemory)next.device_function(next.device, "vkAllocateMemory"))(device, &changed, callbacks,
                                                                                         out);
}

/* ---- a smaller device ---- */

static void shrink(VkPhysicalDeviceProperties *p) {
    p->deviceType = (VkPhysicalDeviceType)number("LAYER_TYPE", (unsigned long)p->deviceType);
    if (asked("LAYER_VERSION_1_0")) p->apiVersion = VK_API_VERSION_1_0;
    if (!asked("LAYER_LIMITS")) return;
    VkPhysicalDeviceLimits *l = &p->limits;
    l->maxComputeSharedMemorySize = number32("LAYER_SHARED", 16384);
    l->maxComputeWorkGroupInvocations = number32("LAYER_INVOCATIONS", 128);
    l->maxComputeWorkGroupSize[0] = l->maxComputeWorkGroupSize[1] = number32("LAYER_INVOCATIONS", 128);
    l->maxComputeWorkGroupSize[2] = 64;
    for (int axis = 0; axis < 3; axis++) l->maxComputeWorkGroupCount[axis] = number32("LAYER_GROUPS", 65535);
    l->maxStorageBufferRange = number32("LAYER_RANGE", 1u << 27);
    l->maxTexelBufferElements = number32("LAYER_TEXELS", 65536);
    l->maxPerStageDescriptorStorageBuffers = number32("LAYER_STORAGE_BUFFERS", 4);
    l->maxDescriptorSetStorageBuffers = 24;
    l->maxPerStageDescriptorSampledImages = 16;
    l->maxDescriptorSetSampledImages = 96;
    l->maxPerStageResources = 128;
    l->maxBoundDescriptorSets = 4;
    l->maxPushConstantsSize = 128;
    l->maxMemoryAllocationCount = number32("LAYER_ALLOCATIONS", 4096);
    l->minStorageBufferOffsetAlignment = l->minTexelBufferOffsetAlignment = l->minUniformBufferOffsetAlignment = 256;
    l->nonCoherentAtomSize = 256;
    l->minMemoryMapAlignment = 64;
}

static VKAPI_ATTR void VKAPI_CALL layer_properties(VkPhysicalDevice device, VkPhysicalDeviceProperties *out) {
    next.properties(device, out);
    shrink(out);
}

static VKAPI_ATTR void VKAPI_CALL layer_properties2(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out) {
    next.properties2(device, out);
    shrink(&out->properties);
    for (VkBaseOutStructure *s = out->pNext; s; s = s->pNext) {
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES &&
            (asked("LAYER_ALLOCATION") || asked("LAYER_LIMITS")))
            ((VkPhysicalDeviceMaintenance3Properties *)(void *)s)->maxMemoryAllocationSize =
                number("LAYER_ALLOCATION", 1ul << 30);
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES && asked("LAYER_TYPE") &&
            !asked("LAYER_DRIVER"))
            ((VkPhysicalDeviceDriverProperties *)(void *)s)->driverID = VK_DRIVER_ID_MESA_RADV;
        if (s->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES &&
            (asked("LAYER_NO_SHUFFLE") || asked("LAYER_LIMITS")))
            ((VkPhysicalDeviceSubgroupProperties *)(void *)s)->supportedOperations = VK_SUBGROUP_FEATURE_BASIC_BIT;
    }
}

static void change_memory(VkPhysicalDeviceMemoryProperties *m) {
    m->memoryHeaps[0].size = (VkDeviceSize)number("LAYER_HEAP", (unsigned long)m->memoryHeaps[0].size);
    if (!asked("LAYER_SPLIT_MEMORY")) return;
    m->memoryTypeCount = m->memoryHeapCount = 2;
    m->memoryHeaps[1] = (VkMemoryHeap){.size = m->memoryHeaps[0].size};
    m->memoryTypes[0] = (VkMemoryType){VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT, 0};
    m->memoryTypes[1] = (VkMemoryType){VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT, 1};
}

static VKAPI_ATTR void VKAPI_CALL layer_memory(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties *out) {
    next.memory(device, out);
    change_memory(out);
}

static VKAPI_ATTR void VKAPI_CALL layer_memory2(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2 *out) {
    next.memory2(device, out);
    change_memory(&out->memoryProperties);
    if (!asked("LAYER_HEAP") && !asked("LAYER_SPLIT_MEMORY")) return;
    for (VkBaseOutStructure *s = out->pNext; s; s = s->pNext) {
        if (s->sType != VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT) continue;
        VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = (void *)s;
        for (uint32_t i = 0; i < out->memoryProperties.memoryHeapCount; i++)
            budget->heapBudget[i] = out->memoryProperties.memoryHeaps[i].size / 10 * 9;
    }
}

static VKAPI_ATTR void VKAPI_CALL layer_queues(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *out) {
    next.queues(device, count, out);
    for (uint32_t i = 0; out && asked("LAYER_LIMITS") && i < *count; i++) out[i].timestampValidBits = 0;
}

/* ---- names ---- */

static VKAPI_ATTR VkResult VKAPI_CALL layer_name(VkDevice device, const VkDebugUtilsObjectNameInfoEXT *info) {
    (void)device;
    if (asked("LAYER_NAMES"))
        fprintf(stderr, "layer: object of type %d: %s\n", (int)info->objectType, info->pObjectName);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL layer_label(VkCommandBuffer commands, const VkDebugUtilsLabelEXT *info) {
    (void)commands;
    if (asked("LAYER_NAMES")) fprintf(stderr, "layer: label: %s\n", info->pLabelName);
}

static VKAPI_ATTR void VKAPI_CALL layer_label_end(VkCommandBuffer commands) { (void)commands; }

static VKAPI_ATTR void VKAPI_CALL layer_requirements(VkDevice device, VkBuffer buffer, VkMemoryRequirements *out) {
    ((PFN_vkGetBufferMemoryRequirements)next.device_function(device, "vkGetBufferMemoryRequirements"))(device, buffer,
                                                                                                       out);
    if (asked("LAYER_SPLIT_MEMORY")) out->memoryTypeBits = 3;
}

/* ---- the chain ---- */

static VKAPI_ATTR VkResult VKAPI_CALL layer_create_instance(const VkInstanceCreateInfo *info,
                                                            const VkAllocationCallbacks *callbacks, VkInstance *out) {
    static unsigned long count;
    VkLayerInstanceCreateInfo *link = (void *)info->pNext;
    while (!(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO))
        link = (void *)link->pNext;
    next.instance_function = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    VkResult result = failure("vkCreateInstance", &count);
    if (!result)
        result = ((PFN_vkCreateInstance)next.instance_function(NULL, "vkCreateInstance"))(info, callbacks, out);
    if (result < 0) return result;
    next.instance = *out;
#define FETCH(member, name) next.member = (PFN_##name)next.instance_function(*out, #name)
    FETCH(enumerate, vkEnumeratePhysicalDevices);
    FETCH(properties, vkGetPhysicalDeviceProperties);
    FETCH(properties2, vkGetPhysicalDeviceProperties2);
    FETCH(queues, vkGetPhysicalDeviceQueueFamilyProperties);
    FETCH(memory, vkGetPhysicalDeviceMemoryProperties);
    FETCH(memory2, vkGetPhysicalDeviceMemoryProperties2);
#undef FETCH
    return result;
}

static VKAPI_ATTR VkResult VKAPI_CALL layer_enumerate(VkInstance instance, uint32_t *count, VkPhysicalDevice *devices) {
    static unsigned long calls;
    const VkResult failed = devices ? failure("vkEnumeratePhysicalDevices", &calls) : VK_SUCCESS;
    if (failed) return failed;
    return next.enumerate(instance, count, devices);
}

static VKAPI_ATTR VkResult VKAPI_CALL layer_create_device(VkPhysicalDevice device, const VkDeviceCreateInfo *info,
                                                          const VkAllocationCallbacks *callbacks, VkDevice *out) {
    static unsigned long count;
    VkLayerDeviceCreateInfo *link = (void *)info->pNext;
    while (!(link->sType == VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO))
        link = (void *)link->pNext;
    const PFN_vkGetInstanceProcAddr instance_function = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    next.device_function = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    const VkResult failed = failure("vkCreateDevice", &count);
    if (failed) return failed;
    const VkResult result =
        ((PFN_vkCreateDevice)instance_function(next.instance, "vkCreateDevice"))(device, info, callbacks, out);
    if (result >= 0) next.device = *out;
    return result;
}

typedef struct function {
    const char *name;
    PFN_vkVoidFunction address;
} function;

static const function device_functions[] = {
#define ENTRY(name, parameters, arguments) {#name, (PFN_vkVoidFunction)layer_##name},
    CALLS(ENTRY){"vkAllocateMemory", (PFN_vkVoidFunction)layer_vkAllocateMemory},
    {"vkGetBufferMemoryRequirements", (PFN_vkVoidFunction)layer_requirements},
    {"vkSetDebugUtilsObjectNameEXT", (PFN_vkVoidFunction)layer_name},
    {"vkCmdBeginDebugUtilsLabelEXT", (PFN_vkVoidFunction)layer_label},
    {"vkCmdEndDebugUtilsLabelEXT", (PFN_vkVoidFunction)layer_label_end},
    {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)get_device_function},
};

static const function instance_functions[] = {
    {"vkCreateInstance", (PFN_vkVoidFunction)layer_create_instance},
    {"vkEnumeratePhysicalDevices", (PFN_vkVoidFunction)layer_enumerate},
    {"vkCreateDevice", (PFN_vkVoidFunction)layer_create_device},
    {"vkGetInstanceProcAddr", (PFN_vkVoidFunction)get_instance_function},
    {"vkGetPhysicalDeviceProperties", (PFN_vkVoidFunction)layer_properties},
    {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)layer_properties2},
    {"vkGetPhysicalDeviceProperties2KHR", (PFN_vkVoidFunction)layer_properties2},
    {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)layer_queues},
    {"vkGetPhysicalDeviceMemoryProperties", (PFN_vkVoidFunction)layer_memory},
    {"vkGetPhysicalDeviceMemoryProperties2", (PFN_vkVoidFunction)layer_memory2},
    {"vkGetPhysicalDeviceMemoryProperties2KHR", (PFN_vkVoidFunction)layer_memory2},
};

static PFN_vkVoidFunction find(const function *functions, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(functions[i].name, name)) return functions[i].address;
    return NULL;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_device_function(VkDevice device, const char *name) {
    const PFN_vkVoidFunction own = find(device_functions, COUNT(device_functions), name);
    return own ? own : next.device_function(device, name);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL get_instance_function(VkInstance instance, const char *name) {
    PFN_vkVoidFunction own = find(instance_functions, COUNT(instance_functions), name);
    if (!own) own = find(device_functions, COUNT(device_functions), name);
    return own || !next.instance_function ? own : next.instance_function(instance, name);
}

VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *negotiation) {
    negotiation->loaderLayerInterfaceVersion = 2;
    negotiation->pfnGetInstanceProcAddr = get_instance_function;
    negotiation->pfnGetDeviceProcAddr = get_device_function;
    negotiation->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
