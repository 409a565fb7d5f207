/* Memory that outlives programs. */
#include "cpu/engine.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LARGE_BYTES = 4 << 20 }; /* what is worth large pages */

/* Tensors are walked through in long strides: with large pages fewer addresses are looked up. A wish, not a need. */
void *ad_cpu_allocate(adatom_context *ctx, size_t bytes) {
    char *memory = ad_malloc(ctx, bytes, 1);
#ifdef MADV_HUGEPAGE
    const size_t page = (size_t)sysconf(_SC_PAGE_SIZE), before = memory ? -(uintptr_t)memory % page : 0;
    if (memory && bytes >= LARGE_BYTES + before)
        madvise(memory + before, (bytes - before) / page * page, MADV_HUGEPAGE);
#endif
    return memory;
}

adatom_status ad_cpu_buffer_create(ad_engine *engine, size_t bytes, ad_buffer **out) {
    *out = ad_calloc(engine->ctx, 1, sizeof **out);
    if (!*out) return ADATOM_OUT_OF_MEMORY;
    (*out)->bytes = bytes;
    (*out)->memory = ad_cpu_allocate(engine->ctx, bytes);
    if (!(*out)->memory) {
        ad_free(*out);
        *out = NULL;
        return ADATOM_OUT_OF_MEMORY;
    }
    return ADATOM_OK;
}

adatom_status ad_cpu_within(const ad_engine *engine, const char *what, size_t offset, size_t bytes, size_t size) {
    if (offset <= size && bytes <= size - offset) return ADATOM_OK;
    return ad_fail(engine->ctx, ADATOM_USAGE, "%s: %zu bytes at %zu asked for, it has %zu", what, bytes, offset, size);
}

adatom_status ad_cpu_buffer_write(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes) {
    adatom_status status = ad_cpu_within(engine, "buffer", offset, bytes, buffer->bytes);
    if (status == ADATOM_OK && bytes) memcpy(buffer->memory + offset, data, bytes);
    buffer->writes++;
    return status;
}

adatom_status ad_cpu_buffer_read(ad_engine *engine, ad_buffer *buffer, size_t offset, void *data, size_t bytes) {
    adatom_status status = ad_cpu_within(engine, "buffer", offset, bytes, buffer->bytes);
    if (status == ADATOM_OK && bytes) memcpy(data, buffer->memory + offset, bytes);
    return status;
}

/* What buffer_send begins, a copy by the same processors, it also ends. */
adatom_status ad_cpu_buffer_wait(ad_engine *engine) {
    (void)engine;
    return ADATOM_OK;
}

void ad_cpu_buffer_destroy(ad_engine *engine, ad_buffer **buffer) {
    (void)engine;
    if (!buffer || !*buffer) return;
    ad_free((*buffer)->memory);
    ad_free(*buffer);
    *buffer = NULL;
}
