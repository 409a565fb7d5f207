/* What the Vulkan engine keeps in the cache's folder, with the header set right, as anyone who can write there can do:
 * variants that were tuned (the first byte's remainder by 4 is 0 or 1: of half precision), verdicts on half precision
 * (2), and a file as it is (3). */
#include "vk/program/choose.h"
#include "vk/program/half_verdicts.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[64];
static const char *const suffixes[] = {"tuning", "tuning-fp16", "half", "pipelines"};

static void tidy(void) {
    char name[96];
    for (size_t i = 0; i < AD_COUNT(suffixes); i++) {
        snprintf(name, sizeof name, "%s.%s", path, suffixes[i]);
        unlink(name);
    }
}

static void put(const char *suffix, const void *bytes, size_t size) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", path, suffix);
    const int file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, bytes, size) != (ssize_t)size) abort();
    close(file);
}

/* Every variant that is read can be asked for. */
static void look(vk_engine *e) {
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    ad_vk_half_describe(e, &info);
    for (int i = 0; i < e->choice_count; i++)
        if (strlen(e->choices[i].variant) >= sizeof e->choices[i].variant) abort();
    for (int kind = 0; kind < AD_OP_COUNT; kind++)
        for (int v = 0; v < AD_MAX_VARIANTS; v++)
            if (e->half_verdicts[kind][v] != AD_VERDICT_NONE && !(ad_vk_lowering_of(kind)->half >> v & 1)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static vk_engine e;
    adatom_context *ctx = NULL;
    char *kept = NULL;
    size_t bytes = 0;
    if (size == 0) return 0;
    if (!*path) {
        snprintf(path, sizeof path, "/tmp/adatom-fuzz-caches-%ld", (long)getpid());
        atexit(tidy);
    }
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) abort();
    memset(&e, 0, sizeof e);
    e.base.ctx = ctx;
    e.cache = (vk_disk_cache){.ctx = ctx, .path = path};
    const int what = data[0] % 4;
    e.caps.half = what != 0;
    if (what == 3)
        put(suffixes[3], data + 1, size - 1);
    else
        ad_vk_cache_write(&e.cache, suffixes[what], data + 1, size - 1);
    /* A damaged cache is none; nothing but a lack of memory is an error. */
    if (ad_vk_cache_read(&e.cache, suffixes[what], &kept, &bytes) != ADATOM_OK) abort();
    if (what < 3 && (!kept || bytes != size - 1 || memcmp(kept, data + 1, bytes) != 0)) abort();
    ad_free(kept);
    if (what < 2 && ad_vk_choices_load(&e) != ADATOM_OK) abort();
    if (what == 2 && ad_vk_half_load(&e) != ADATOM_OK) abort();
    look(&e);
    ad_free(e.choices);
    adatom_context_destroy(&ctx);
    return 0;
}
