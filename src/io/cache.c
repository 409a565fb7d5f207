/* Keeps decoded data sets on disk: each file is a packed block as it is in memory. The files may be deleted at any
 * time. */
#include "io/dataset.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t ad_cache_name(const ad_selection *s, const adatom_dataset_params *params) {
    const uint64_t facts[] = {AD_DATASET_VERSION, (uint64_t)params->image_size, (uint64_t)params->resize, s->count,
                              (uint64_t)s->classes};
    uint64_t key = ad_hash(facts, sizeof facts, 0);
    for (int c = 0; c < s->classes; c++)
        key = ad_hash(s->names[c], strlen(s->names[c]) + 1, ad_hash(&s->counts[c], sizeof(size_t), key));
    for (size_t i = 0; i < s->count; i++) key = ad_hash(s->pictures[i].path, strlen(s->pictures[i].path) + 1, key);
    uint8_t background[3] = {0};
    ad_parse_background(params->background, background);
    key =
        ad_hash(background, sizeof background, ad_hash(&params->allow_truncated, sizeof params->allow_truncated, key));
    return key;
}

uint64_t ad_cache_content(const ad_source *source, const ad_selection *s, uint64_t name) {
    uint64_t key = ad_hash(&name, sizeof name, 1);
    for (size_t i = 0; i < s->count; i++)
        key = ad_hash(&source->entries[s->pictures[i].entry].hash, sizeof(uint64_t), key);
    return key;
}

/* "pictures-NAME-": the files of all blocks of that name begin so. */
static void block_prefix(uint64_t name, char out[32]) {
    char hex[17];
    ad_hash_hex(name, hex);
    memcpy(out, "pictures-", 9);
    memcpy(out + 9, hex, 16);
    memcpy(out + 25, "-", 2);
}

static char *block_path(adatom_context *ctx, const char *folder, ad_cache_key key) {
    char prefix[32], hex[17];
    block_prefix(key.name, prefix);
    ad_hash_hex(key.content, hex);
    return ad_format(ctx, "%s/%s%s.bin", folder, prefix, hex);
}

bool ad_cache_has(adatom_context *ctx, const char *folder, uint64_t name) {
    (void)ctx;
    char prefix[32];
    bool found = false;
    block_prefix(name, prefix);
    DIR *stream = opendir(folder);
    if (!stream) return false;
    for (const struct dirent *item; !found && (item = readdir(stream));)
        found = !strncmp(item->d_name, prefix, strlen(prefix));
    closedir(stream);
    return found;
}

/* The hash of everything but the pixels. The pixels' own hash is part of what is hashed; it also serves for the data
 * set's hash, so the pixels are read only once. */
static uint64_t checksum(const char *bytes, size_t pixels_at) {
    return ad_hash(bytes + sizeof(ad_block_header), pixels_at - sizeof(ad_block_header),
                   ad_hash(bytes, offsetof(ad_block_header, checksum), 0));
}

/* Whether the sizes and texts in a block agree with each other, so that they can be used without further checks. */
static bool block_is_whole(ad_block *block, ad_cache_key key) {
    ad_block_header h;
    const char *bytes = block->bytes;
    const size_t size = block->size;
    if (size < sizeof h) return false;
    memcpy(&h, bytes, sizeof h);
    if (memcmp(h.magic, AD_DATASET_MAGIC, sizeof h.magic) || h.version != AD_DATASET_VERSION) return false;
    if (h.key.name != key.name || h.key.content != key.content) return false;
    if (h.size < 1 || h.size > 4096 || h.classes < 1 || h.classes > h.images || h.images > INT32_MAX ||
        h.text_bytes > size)
        return false;
    const uint64_t text_begins = sizeof h + h.classes * sizeof(uint64_t);
    const uint64_t pixels_begin = (text_begins + h.text_bytes + 63) / 64 * 64; /* size_t may have 32 bits only */
    if (pixels_begin + h.images * h.size * h.size * 3 != size) return false;
    const size_t text_at = (size_t)text_begins;
    block->pixels_at = (size_t)pixels_begin;
    if (h.checksum != checksum(bytes, block->pixels_at)) return false;
    if (h.pixels_hash != ad_block_hash(block)) return false;
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

adatom_status ad_cache_load(adatom_context *ctx, const char *folder, ad_cache_key key, ad_block *block) {
    *block = (ad_block){0};
    if (!folder) return ADATOM_OK;
    struct stat info;
    char *path = block_path(ctx, folder, key);
    if (!path) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ADATOM_OK;
    if (stat(path, &info) != 0) goto done; /* there is no such file */
    status = ad_read_file(ctx, path, SIZE_MAX, &block->bytes, &block->size);
    if (status == ADATOM_OUT_OF_MEMORY) goto done;
    if (status != ADATOM_OK || !block_is_whole(block, key)) {
        ad_log(ctx, ADATOM_LOG_WARNING, "cache '%s' is damaged and is made anew", path);
        ad_free(block->bytes);
        *block = (ad_block){0};
        status = ADATOM_OK;
    }
    utimensat(AT_FDCWD, path, NULL, 0); /* Its time is that of its last use, by which remove_old() chooses. */
done:
    ad_free(path);
    return status;
}

typedef struct kept {
    char *name;
    uint64_t size;
    int64_t used_ns;
} kept;

static int by_use(const void *a, const void *b) {
    const kept *x = a, *y = b;
    return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

/* Removes the files that were not used for the longest time, until at most `limit` bytes stay besides the file called
 * `mine`. */
static adatom_status remove_old(adatom_context *ctx, const char *folder, const char *mine, uint64_t limit) {
    adatom_status status = ADATOM_OK;
    kept *files = NULL;
    size_t count = 0, capacity = 0;
    uint64_t total = 0;
    DIR *stream = opendir(folder);
    if (!stream) return ADATOM_OK;
    for (const struct dirent *item; (item = readdir(stream));) {
        struct stat info;
        if (strncmp(item->d_name, "pictures-", 9) && strncmp(item->d_name, "sources-", 8)) continue;
        if (!strcmp(item->d_name, mine) || fstatat(dirfd(stream), item->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (!S_ISREG(info.st_mode) || strstr(item->d_name, ".tmp")) continue; /* another process may be writing it */
        if (count == capacity) {
            const size_t grown = capacity ? 2 * capacity : 64;
            kept *larger = ad_realloc(ctx, files, capacity, grown, sizeof *files);
            if (!larger) AD_TRY(ADATOM_OUT_OF_MEMORY);
            files = larger;
            capacity = grown;
        }
        kept *file = &files[count];
        *file = (kept){.name = ad_strdup(ctx, item->d_name),
                       .size = (uint64_t)info.st_size,
                       .used_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec};
        if (!file->name) AD_TRY(ADATOM_OUT_OF_MEMORY);
        total += file->size;
        count++;
    }
    if (total > limit) qsort(files, count, sizeof *files, by_use);
    for (size_t i = 0; i < count && total > limit; i++) {
        if (unlinkat(dirfd(stream), files[i].name, 0) != 0) continue;
        total -= files[i].size;
        ad_log(ctx, ADATOM_LOG_INFO, "'%s/%s' was longest not used and is removed from the cache", folder,
               files[i].name);
    }
done:
    for (size_t i = 0; i < count; i++) ad_free(files[i].name);
    ad_free(files);
    closedir(stream);
    return status;
}

void ad_cache_store(adatom_context *ctx, const char *folder, ad_cache_key key, uint64_t limit, ad_block *block) {
    if (!folder) return;
    char *path = block_path(ctx, folder, key);
    adatom_status status = path ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    if (path) {
        ad_block_header *header = (ad_block_header *)(void *)block->bytes;
        header->key = key;
        ad_block_hash(block);
        header->checksum = checksum(block->bytes, block->pixels_at);
        status = ad_write_file(ctx, path, block->bytes, block->size);
        if (status == ADATOM_OK) status = remove_old(ctx, folder, path + strlen(folder) + 1, limit);
    }
    if (status != ADATOM_OK) ad_log(ctx, ADATOM_LOG_WARNING, "decoded pictures are not kept: %s", ctx->message);
    ad_free(path);
}
