#include "vk/core/disk_cache.h"

#include <string.h>
#include <unistd.h>

enum { CACHE_MAX_BYTES = 256 << 20 };

typedef struct cache_header {
    char magic[8];
    uint64_t size, checksum; /* drivers trust what they are given: never hand them a damaged file */
} cache_header;

static const char cache_magic[8] = "ADATOM1";

adatom_status ad_vk_cache_init(adatom_context *ctx, const vk_physical *physical, uint64_t modules,
                               const char *directory, vk_disk_cache *out) {
    *out = (vk_disk_cache){.ctx = ctx};
    if (!directory || !ad_cache_folder(ctx, directory)) return ADATOM_OK;
    const VkPhysicalDeviceProperties *p = &physical->properties;
    struct {
        uint8_t cache_uuid[VK_UUID_SIZE], device_uuid[VK_UUID_SIZE];
        uint32_t vendor, device, driver, pad;
        uint64_t modules;
    } key = {.vendor = p->vendorID, .device = p->deviceID, .driver = p->driverVersion, .modules = modules};
    memcpy(key.cache_uuid, p->pipelineCacheUUID, VK_UUID_SIZE);
    memcpy(key.device_uuid, physical->uuid, VK_UUID_SIZE);
    char hex[17];
    ad_hash_hex(ad_hash(&key, sizeof key, 0), hex);
    out->path = ad_format(ctx, "%s/vulkan-%s", directory, hex);
    return out->path ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
}

adatom_status ad_vk_cache_read(const vk_disk_cache *cache, const char *suffix, char **out, size_t *size) {
    adatom_context *ctx = cache->ctx;
    adatom_status status = ADATOM_OK;
    char *file = NULL, *path = NULL;
    size_t file_size = 0;
    *out = NULL;
    *size = 0;
    if (!cache->path) return ADATOM_OK;
    if (!(path = ad_format(ctx, "%s.%s", cache->path, suffix))) return ADATOM_OUT_OF_MEMORY;
    if (access(path, R_OK) != 0) goto done;
    status = ad_read_file(ctx, path, CACHE_MAX_BYTES, &file, &file_size);
    if (status == ADATOM_OUT_OF_MEMORY) goto done;
    status = ADATOM_OK;
    cache_header header = {0};
    if (file && file_size >= sizeof header) memcpy(&header, file, sizeof header);
    const size_t payload = file_size - AD_MIN(file_size, sizeof header);
    if (memcmp(header.magic, cache_magic, sizeof cache_magic) || header.size != payload ||
        header.checksum != ad_hash(file + sizeof header, payload, 0)) {
        ad_log(ctx, ADATOM_LOG_WARNING, "the cache file '%s' is damaged and will be made anew", path);
        goto done;
    }
    memmove(file, file + sizeof header, payload);
    file[payload] = 0;
    *out = file;
    *size = payload;
    file = NULL;
done:
    ad_free(file);
    ad_free(path);
    return status;
}

void ad_vk_cache_write(const vk_disk_cache *cache, const char *suffix, const void *bytes, size_t size) {
    adatom_context *ctx = cache->ctx;
    if (!cache->path) return;
    char *path = ad_format(ctx, "%s.%s", cache->path, suffix);
    char *file = ad_malloc(ctx, size + sizeof(cache_header), 1);
    if (path && file) {
        cache_header header = {.size = size, .checksum = ad_hash(bytes, size, 0)};
        memcpy(header.magic, cache_magic, sizeof cache_magic);
        memcpy(file, &header, sizeof header);
        memcpy(file + sizeof header, bytes, size);
        if (ad_write_file(ctx, path, file, size + sizeof header) != ADATOM_OK)
            ad_log(ctx, ADATOM_LOG_WARNING, "no cache is kept: %s", adatom_context_message(ctx));
    }
    ad_free(path);
    ad_free(file);
}
