/* Decoded data sets on disk: the packed block as it is in memory. Safe to delete at any time. */
#include "io/dataset.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t hash_text(const char *text, uint64_t seed) { return text ? ad_hash(text, strlen(text) + 1, seed) : seed; }

uint64_t ad_cache_key(const ad_source *source, const ad_csv *csv, const adatom_dataset_params *params) {
    uint32_t facts[3] = {AD_DATASET_VERSION, (uint32_t)params->size, (uint32_t)params->resize};
    uint64_t key = ad_hash(facts, sizeof facts, source->stamp);
    uint8_t background[3] = {0};
    ad_parse_background(params->background, background);
    key = ad_hash(background, sizeof background, ad_hash(&params->allow_truncated, sizeof params->allow_truncated, key));
    key = hash_text(params->split, key);
    for (size_t i = 0; i < csv->count; i++) key = hash_text(csv->rows[i].label, hash_text(csv->rows[i].file, key));
    return key;
}

static char *cache_path(adatom_context *ctx, const char *folder, uint64_t key) {
    char hex[17];
    ad_hash_hex(key, hex);
    return ad_format(ctx, "%s/pictures-%s.bin", folder, hex);
}

static uint64_t checksum(const char *bytes, size_t size) {
    return ad_hash(bytes + sizeof(ad_block_header), size - sizeof(ad_block_header), ad_hash(bytes, offsetof(ad_block_header, checksum), 0));
}

/* Whether the sizes and texts in a block agree with each other, so that it can be used without looking twice. */
static bool block_is_whole(const char *bytes, size_t size, uint64_t key, size_t *pixels_at) {
    ad_block_header h;
    if (size < sizeof h) return false;
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, AD_DATASET_MAGIC, sizeof h.magic) || h.version != AD_DATASET_VERSION || h.key != key) return false;
    if (h.checksum != checksum(bytes, size)) return false;
    if (h.size < 1 || h.size > 4096 || h.classes < 1 || h.classes > h.images || h.images > INT32_MAX || h.text_bytes > size) return false;
    size_t text_at = sizeof h + h.classes * sizeof(uint64_t);
    *pixels_at = (text_at + h.text_bytes + 63) / 64 * 64;
    if (*pixels_at + h.images * h.size * h.size * 3 != size) return false;
    uint64_t images = 0, texts = 0;
    for (size_t c = 0; c < h.classes; c++) {
        uint64_t count;
        memcpy(&count, bytes + sizeof h + c * sizeof count, sizeof count);
        if (count > h.images - images) return false;
        images += count;
    }
    for (size_t i = 0; i < h.text_bytes; i++) texts += bytes[text_at + i] == 0;
    return images == h.images && texts == h.classes + h.images;
}

adatom_status ad_cache_load(adatom_context *ctx, const char *folder, uint64_t key, ad_block *block) {
    *block = (ad_block){0};
    if (!folder) return ADATOM_OK;
    struct stat info;
    char *path = cache_path(ctx, folder, key);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ADATOM_OK;
    if (stat(path, &info) != 0) goto done; /* nothing there yet */
    status = ad_read_file(ctx, path, SIZE_MAX, &block->bytes, &block->size);
    if (status == ADATOM_OUT_OF_MEMORY) goto done;
    if (status != ADATOM_OK || !block_is_whole(block->bytes, block->size, key, &block->pixels_at)) {
        ad_log(ctx, ADATOM_LOG_WARNING, "cache '%s' is damaged and is made anew", path);
        ad_free(block->bytes);
        *block = (ad_block){0};
        status = ADATOM_OK;
    }
done:
    ad_free(path);
    return status;
}

/* mkdir -p */
static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
}

void ad_cache_store(adatom_context *ctx, const char *folder, uint64_t key, ad_block *block) {
    if (!folder) return;
    char *path = cache_path(ctx, folder, key);
    if (path) {
        make_folders(path);
        ad_block_header *header = (ad_block_header *)(void *)block->bytes;
        header->key = key;
        header->checksum = checksum(block->bytes, block->size);
        if (ad_write_file(ctx, path, block->bytes, block->size) == ADATOM_OK) {
            ad_free(path);
            return;
        }
    }
    ad_log(ctx, ADATOM_LOG_WARNING, "decoded pictures are not kept: %s", ctx->message);
    ad_free(path);
}
