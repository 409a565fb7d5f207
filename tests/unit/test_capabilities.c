/* What a Vulkan device tells of itself: of drivers that the test describes, since they differ and few are here. */
#include "tests/run_suite.h"
#include "vk/core/bfloat16.h"
#include "vk/core/capabilities.h"
#include "vk/core/coopmat.h"

/* The driver of a test: its features and properties, each with the extension that they belong to. */
static struct {
    VkPhysicalDeviceShaderFloat16Int8Features small;
    VkPhysicalDevice16BitStorageFeatures half_storage;
    VkPhysicalDevice8BitStorageFeatures byte_storage;
    VkPhysicalDeviceShaderBfloat16FeaturesKHR brain;
    VkPhysicalDeviceShaderIntegerDotProductFeatures dot;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR matrix;
    VkPhysicalDeviceSubgroupProperties subgroup;
    VkPhysicalDeviceSubgroupSizeControlProperties sizes;
    VkPhysicalDeviceShaderIntegerDotProductProperties fast;
    VkCooperativeMatrixPropertiesKHR shapes[64];
    uint32_t shape_count;
} driver;

/* Copies what the driver has for each struct of the chain; whoever chains what he may not ask for is found out. */
static void fill(void *chain) {
    for (VkBaseOutStructure *s = chain; s; s = s->pNext) {
        VkBaseOutStructure *next = s->pNext;
        switch ((int)s->sType) {
#define COPY(type, member)                                                                                             \
    case type:                                                                                                         \
        memcpy(s, &driver.member, sizeof driver.member);                                                               \
        s->sType = (VkStructureType)type;                                                                              \
        s->pNext = next;                                                                                               \
        break;
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, small)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, half_storage)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, byte_storage)
            COPY((int)VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_BFLOAT16_FEATURES_KHR, brain)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES, dot)
            COPY((int)VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR, matrix)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES, subgroup)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES, sizes)
            COPY(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_PROPERTIES, fast)
#undef COPY
        default: ck_abort_msg("asked for a struct of type %d", (int)s->sType);
        }
    }
}

static VKAPI_ATTR void VKAPI_CALL features(VkPhysicalDevice device, VkPhysicalDeviceFeatures2 *out) {
    (void)device;
    fill(out->pNext);
}

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *out) {
    (void)device;
    fill(out->pNext);
}

static VKAPI_ATTR VkResult VKAPI_CALL shapes(VkPhysicalDevice device, uint32_t *count,
                                             VkCooperativeMatrixPropertiesKHR *out) {
    (void)device;
    *count = *count < driver.shape_count ? *count : driver.shape_count;
    memcpy(out, driver.shapes, *count * sizeof *out);
    return VK_SUCCESS;
}

static void add_shape(uint32_t m, uint32_t n, uint32_t k, int a, int b, int result) {
    driver.shapes[driver.shape_count++] = (VkCooperativeMatrixPropertiesKHR){.MSize = m,
                                                                             .NSize = n,
                                                                             .KSize = k,
                                                                             .AType = (VkComponentTypeKHR)a,
                                                                             .BType = (VkComponentTypeKHR)b,
                                                                             .CType = (VkComponentTypeKHR)result,
                                                                             .ResultType = (VkComponentTypeKHR)result};
}

/* What is found of a device that lists these extensions, ended by NULL. */
static adatom_device_info find(const char *const *extensions) {
    const vk_instance instance = {.vk = {.vkGetPhysicalDeviceFeatures2 = features,
                                         .vkGetPhysicalDeviceProperties2 = properties,
                                         .vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR = shapes}};
    VkExtensionProperties listed[16] = {0};
    uint32_t count = 0;
    vk_physical device = {.timestamp_bits = 36, .properties.limits.timestampPeriod = 52.5f};
    for (; extensions[count]; count++) strcpy(listed[count].extensionName, extensions[count]);
    ad_vk_capabilities_find(&instance, listed, count, &device);
    return device.info;
}

static const char *const all[] = {"VK_KHR_8bit_storage",
                                  "VK_KHR_shader_float16_int8",
                                  "VK_KHR_shader_bfloat16",
                                  "VK_KHR_shader_integer_dot_product",
                                  "VK_KHR_cooperative_matrix",
                                  "VK_EXT_subgroup_size_control",
                                  NULL};
enum { F16, F32, S8 = 3, S32 = 5, U8 = 7, BF16 = 1000141000 };

static void describe_rich_driver(void) {
    memset(&driver, 0, sizeof driver);
    driver.small.shaderFloat16 = driver.small.shaderInt8 = VK_TRUE;
    driver.half_storage.storageBuffer16BitAccess = driver.byte_storage.storageBuffer8BitAccess = VK_TRUE;
    driver.brain.shaderBFloat16Type = driver.dot.shaderIntegerDotProduct = driver.matrix.cooperativeMatrix = VK_TRUE;
    driver.fast.integerDotProduct4x8BitPackedSignedAccelerated = VK_TRUE;
    driver.subgroup.subgroupSize = 64;
    driver.sizes.minSubgroupSize = 32;
    driver.sizes.maxSubgroupSize = 64;
    add_shape(16, 16, 16, F16, F16, F32);
    add_shape(16, 16, 32, S8, S8, S32);
    add_shape(16, 8, 16, F16, F16, F32);
    add_shape(16, 16, 16, F16, F16, F32); /* once more, e.g. with saturation */
    add_shape(16, 16, 16, BF16, BF16, F32);
    add_shape(16, 16, 32, S8, U8, S32);
    add_shape(8, 8, 8, 77, 77, F32);
}

START_TEST(everything_is_told) {
    describe_rich_driver();
    const adatom_device_info info = find(all);
    ck_assert(info.fp16 && info.fp16_storage && info.bf16 && info.int8 && info.int8_storage && info.int8_dot);
    ck_assert_int_eq(info.subgroup, 64);
    ck_assert_int_eq(info.subgroup_least, 32);
    ck_assert_int_eq(info.subgroup_most, 64);
    ck_assert_int_eq(info.timer_bits, 36);
    ck_assert_double_eq(info.timer_ns, 52.5);
    ck_assert_str_eq(info.matrix_units, "16x16x16 16x8x16 f16→f32, 16x16x32 s8→s32, 16x16x16 bf16→f32, "
                                        "16x16x32 s8*u8→s32, 8x8x8 type 77→f32");
}
END_TEST

/* Structs of extensions that are not listed are not asked for, and what they would tell is not taken for told. */
START_TEST(nothing_is_guessed) {
    static const char *const none[] = {NULL}, *const sizes_only[] = {"VK_EXT_subgroup_size_control", NULL};
    describe_rich_driver();
    adatom_device_info info = find(none);
    ck_assert(!info.fp16 && info.fp16_storage && !info.bf16 && !info.int8 && !info.int8_storage && !info.int8_dot);
    ck_assert_int_eq(info.subgroup_least, 64);
    ck_assert_int_eq(info.subgroup_most, 64);
    ck_assert_str_eq(info.matrix_units, "");
    info = find(sizes_only);
    ck_assert_int_eq(info.subgroup_least, 32);
    /* an extension whose feature is off */
    driver.matrix.cooperativeMatrix = driver.dot.shaderIntegerDotProduct = VK_FALSE;
    info = find(all);
    ck_assert_str_eq(info.matrix_units, "");
    ck_assert(!info.int8_dot);
}
END_TEST

START_TEST(long_lists_end_at_a_whole_group) {
    describe_rich_driver();
    driver.shape_count = 0;
    for (int type = 0; type <= 10; type++)
        for (uint32_t k = 8; k <= 32; k *= 2) add_shape(16, 16, k, type, type, F32);
    const adatom_device_info info = find(all);
    const size_t length = strlen(info.matrix_units);
    ck_assert_uint_lt(length, sizeof info.matrix_units);
    ck_assert_uint_gt(length, sizeof info.matrix_units / 2);
    ck_assert_str_eq(info.matrix_units + length - strlen("→f32, ..."), "→f32, ...");
}
END_TEST

START_TEST(whose_memory_it_is) {
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                                visible = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT;
    const struct {
        VkPhysicalDeviceType type;
        uint32_t heaps;
        VkMemoryPropertyFlags flags;
        bool unified;
    } cases[] = {{VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU, 2, local, true},
                 {VK_PHYSICAL_DEVICE_TYPE_CPU, 1, local | visible, true},
                 {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, 1, local, false},
                 {VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU, 2, local | visible, false}}; /* a window into all of it */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vk_physical device = {.properties = {.deviceType = cases[i].type, .limits.maxComputeSharedMemorySize = 49152},
                              .memory = {.memoryHeapCount = cases[i].heaps,
                                         .memoryTypeCount = 1,
                                         .memoryTypes = {{.propertyFlags = cases[i].flags}}}};
        ad_vk_capabilities_begin(&device);
        ck_assert_msg(device.info.unified_memory == cases[i].unified, "case %zu", i);
        ck_assert_uint_eq(device.info.shared_bytes, 49152);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("capabilities");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, everything_is_told);
    tcase_add_test(tests, nothing_is_guessed);
    tcase_add_test(tests, long_lists_end_at_a_whole_group);
    tcase_add_test(tests, whose_memory_it_is);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}
