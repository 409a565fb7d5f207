/* Heap memory, and texts allocated in it. */
#include "base/base.h"
#include "base/hooks.h"

#include <stdlib.h>
#include <string.h>

/* Windows keeps aligned memory apart. */
#ifdef _WIN32
#define FREE _aligned_free
#else
#define FREE free
#endif

void *ad_malloc(adatom_context *ctx, size_t count, size_t size) {
    void *memory = NULL;
    size_t bytes = 0;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 64 || ad_test_allocation_fails() ||
        !(memory = aligned_alloc(64, (bytes + 64) / 64 * 64)))
        ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory: %zu x %zu bytes", count, size);
    return memory;
}

void *ad_calloc(adatom_context *ctx, size_t count, size_t size) {
    void *memory = ad_malloc(ctx, count, size);
    if (memory) memset(memory, 0, count * size);
    return memory;
}

void *ad_realloc(adatom_context *ctx, void *old, size_t old_count, size_t count, size_t size) {
    void *memory = ad_malloc(ctx, count, size);
    if (!memory) return NULL;
    if (old) memcpy(memory, old, AD_MIN(old_count, count) * size);
    if (count > old_count) memset((char *)memory + old_count * size, 0, (count - old_count) * size);
    ad_free(old);
    return memory;
}

void ad_free(void *memory) { FREE(memory); }

char *ad_strdup(adatom_context *ctx, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = ad_malloc(ctx, size, 1);
    if (copy) memcpy(copy, text, size);
    return copy;
}

char *ad_format(adatom_context *ctx, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = ad_vprint(NULL, 0, format, args);
    va_end(args);
    char *text = length < 0 ? NULL : ad_malloc(ctx, (size_t)length + 1, 1);
    if (text) ad_vprint(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
