/* What lies in the cache's folder, with every checksum set right, as anyone who can write there can do: blocks of
 * decoded pictures (the first byte is even), and what was seen in a folder or an archive (odd). */
#include "io/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64];

static void put(const char *path, const void *bytes, size_t size) {
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
    close(file);
}

static void try_block(adatom_context *ctx, char *bytes, size_t size) {
    const ad_cache_key key = {1, 7};
    char path[160];
    if (size >= sizeof(ad_block_header)) {
        ad_block_header *h = (ad_block_header *)(void *)bytes;
        memcpy(h->magic, AD_DATASET_MAGIC, sizeof h->magic);
        h->version = AD_DATASET_VERSION;
        h->key = key;
        /* Where the pixels begin follows from two counts; the hash of what lies there is made to fit. */
        const uint64_t text_at = sizeof *h + h->classes * sizeof(uint64_t),
                       pixels_at = (text_at + h->text_bytes + 63) / 64 * 64;
        if (h->classes < size && h->text_bytes < size && pixels_at <= size) {
            h->pixels_hash = ad_hash(bytes + pixels_at, size - (size_t)pixels_at, h->size);
            h->checksum = ad_hash(bytes + sizeof *h, (size_t)pixels_at - sizeof *h,
                                  ad_hash(bytes, offsetof(ad_block_header, checksum), 0));
        }
    }
    snprintf(path, sizeof path, "%s/pictures-0000000000000001-0000000000000007.bin", folder);
    put(path, bytes, size);
    ad_block block;
    adatom_dataset *dataset = NULL;
    if (ad_cache_load(ctx, folder, key, &block) != ADATOM_OK) abort();
    if (block.bytes && ad_dataset_wrap(ctx, "fuzz", &block, NULL, &dataset) == ADATOM_OK) {
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        adatom_dataset_describe(dataset, &info);
        volatile size_t sum = 0;
        for (size_t i = 0; i < info.images; i++)
            sum += strlen(adatom_dataset_path(dataset, i)) +
                   adatom_dataset_pixels(dataset, i)[info.image_size * info.image_size * 3 - 1];
        for (int c = 0; c < info.classes; c++) {
            const char *name = NULL;
            size_t first = 0, count = 0;
            if (adatom_dataset_class(dataset, c, &name, &first, &count) != ADATOM_OK || first + count > info.images)
                abort();
            sum += strlen(name);
        }
        (void)sum; /* what matters is that it was read */
        adatom_dataset_destroy(&dataset);
    }
}

/* The file begins with a magic, a version, a kind and a checksum; then the place's full path. */
static void try_seen(adatom_context *ctx, const char *bytes, size_t size, bool is_archive) {
    char root[128], path[200], hex[17], *full = NULL;
    const uint32_t facts[2] = {1, is_archive};
    snprintf(root, sizeof root, "%s/%s", folder, is_archive ? "set.tar" : "set");
    if (!(full = realpath(root, NULL))) abort();
    const size_t place = strlen(full) + 1, head = 8 + sizeof facts + sizeof(uint64_t);
    char *out = malloc(head + place + size);
    if (!out) abort();
    memcpy(out + head, full, place);
    if (size) memcpy(out + head + place, bytes, size);
    memcpy(out, "adatomSE", 8);
    memcpy(out + 8, facts, sizeof facts);
    ad_source source;
    if (ad_source_open(ctx, root, &source) != ADATOM_OK) abort();
    /* That it is the file that was seen, as an attacker could know. */
    if (is_archive && size >= sizeof source.identity)
        memcpy(out + head + place, &source.identity, sizeof source.identity);
    const uint64_t checksum = ad_hash(out + head, place + size, 0);
    memcpy(out + head - sizeof checksum, &checksum, sizeof checksum);
    ad_hash_hex(ad_hash(full, strlen(full), 0), hex);
    snprintf(path, sizeof path, "%s/sources-%s.bin", folder, hex);
    put(path, out, head + place + size);
    if (ad_seen_load(&source, folder) != ADATOM_OK) abort();
    for (size_t i = 0; i < source.count; i++)
        if (source.is_archive && source.is_listed) {
            char *content = NULL;
            size_t got = 0;
            (void)ad_source_read(&source, i, &content, &got); /* members that aren't there are an error, no more */
            ad_free(content);
        }
    ad_source_close(&source);
    free(out);
    free(full);
}

static void tidy(void) {
    char command[160];
    static const char *const names[] = {"set/a/1.ppm", "set/a", "set", "set.tar",
                                        "pictures-0000000000000001-0000000000000007.bin"};
    for (size_t i = 0; i < AD_COUNT(names); i++) {
        snprintf(command, sizeof command, "%s/%s", folder, names[i]);
        if (remove(command) != 0) continue;
    }
    rmdir(folder);
}

static void prepare(void) {
    char path[160];
    static const char zeros[1024];
    snprintf(folder, sizeof folder, "/tmp/adatom-fuzz-cache-%ld", (long)getpid());
    mkdir(folder, 0700);
    snprintf(path, sizeof path, "%s/set", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/set/a", folder);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/set/a/1.ppm", folder);
    put(path, "P6 1 1 255\nabc", 14);
    snprintf(path, sizeof path, "%s/set.tar", folder);
    put(path, zeros, sizeof zeros);
    atexit(tidy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) return 0;
    if (!*folder) prepare();
    adatom_context *ctx = NULL;
    char *copy = malloc(size);
    if (!copy || adatom_context_create(NULL, &ctx) != ADATOM_OK) abort();
    memcpy(copy, data + 1, size - 1);
    if (data[0] % 2 == 0) try_block(ctx, copy, size - 1);
    if (data[0] % 2 == 1) try_seen(ctx, copy, size - 1, data[0] & 2);
    adatom_context_destroy(&ctx);
    free(copy);
    return 0;
}
