/* The SPIR-V modules built from shaders/ and embedded here. */
#ifndef AD_VK_SPIRV_H
#define AD_VK_SPIRV_H

#include "vk/kernels/kernel.h"

typedef struct vk_module {
    const uint32_t *words;
    size_t bytes;
    int bindings;
    const char *name;
} vk_module;

void ad_vk_modules_init(vk_module modules[AD_VK_KERNEL_COUNT + 1]);
uint64_t ad_vk_modules_hash(void);
int ad_vk_most_bindings(void);         /* of all kernels */
bool ad_vk_module_present(int kernel); /* false: left out of this build (cmake/Shaders.cmake) */
#endif
