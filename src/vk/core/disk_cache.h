/* Cache files: one device, driver and set of shaders each, safe to delete at any time. */
#ifndef AD_VK_DISK_CACHE_H
#define AD_VK_DISK_CACHE_H

#include "vk/core/physical.h"

typedef struct vk_disk_cache {
    adatom_context *ctx;
    char *path; /* directory/prefix of the files of this device, driver and SPIR-V; NULL: none */
} vk_disk_cache;

/* modules: the hash of all SPIR-V. */
adatom_status ad_vk_cache_init(adatom_context *ctx, const vk_physical *physical, uint64_t modules,
                               const char *directory, vk_disk_cache *out);
/* Each file has a checksum; one that is missing, foreign or damaged counts as absent (*out NULL). suffix: "pipelines",
 * "tuning". */
adatom_status ad_vk_cache_read(const vk_disk_cache *cache, const char *suffix, char **out, size_t *size);
/* Failing is logged, not an error. */
void ad_vk_cache_write(const vk_disk_cache *cache, const char *suffix, const void *bytes, size_t size);
#endif
