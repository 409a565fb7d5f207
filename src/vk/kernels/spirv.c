#include "vk/kernels/spirv.h"

#include <string.h>

#include "spv/all.h"

static const vk_module embedded[AD_VK_KERNEL_COUNT + 1] = {
#define AD_KERNEL(NAME, file, defines, bindings_)                                                                      \
    {.words = spv_##NAME, .bytes = sizeof spv_##NAME, .bindings = (bindings_), .name = #NAME},
#include "vk/kernels/kernels.def"
#undef AD_KERNEL
    {0},
};

void ad_vk_modules_init(vk_module modules[AD_VK_KERNEL_COUNT + 1]) { memcpy(modules, embedded, sizeof embedded); }

int ad_vk_most_bindings(void) {
    int most = 0;
    for (int k = 0; k < AD_VK_KERNEL_COUNT; k++) most = AD_MAX(most, embedded[k].bindings);
    return most;
}

bool ad_vk_module_present(int kernel) { return embedded[kernel].bytes > sizeof(uint32_t); }

uint64_t ad_vk_modules_hash(void) {
    uint64_t hash = 0;
    for (int k = 0; k < AD_VK_KERNEL_COUNT; k++) hash = ad_hash(embedded[k].words, embedded[k].bytes, hash);
    return hash;
}
