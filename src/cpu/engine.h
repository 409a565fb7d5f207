/* What the files engine*.c share. */
#ifndef AD_CPU_ENGINE_H
#define AD_CPU_ENGINE_H

#include "cpu/cpu_internal.h"

typedef struct ad_cpu_engine {
    ad_engine base;
    int threads;
    const ad_cpu_tiles *tiles;
    adatom_device_info info;
    int16_t prefer[AD_OP_COUNT]; /* 0: the kernel's own choice */
    ad_verdict half_storage;
} ad_cpu_engine;

struct ad_buffer {
    char *memory;
    size_t bytes;
    uint64_t writes; /* how often something was written to it */
};

/* engine_variants.c: ad_engine_api.variant_*; variant_of: the one that an operation takes. */
int ad_cpu_variant_count(const ad_engine *engine, int kind);
void ad_cpu_variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant);
bool ad_cpu_variant_winograd(const ad_engine *engine, const ad_op *op, int variant);
int ad_cpu_variant_of(const ad_cpu_engine *engine, const ad_op *op);
const char *ad_cpu_variant_name(const ad_engine *base, const ad_plan *plan, const ad_op *op, int variant);

/* engine_buffer.c: ad_engine_api.buffer_* */
adatom_status ad_cpu_buffer_create(ad_engine *engine, size_t bytes, ad_buffer **out);
adatom_status ad_cpu_buffer_write(ad_engine *engine, ad_buffer *buffer, size_t offset, const void *data, size_t bytes);
adatom_status ad_cpu_buffer_read(ad_engine *engine, ad_buffer *buffer, size_t offset, void *data, size_t bytes);
adatom_status ad_cpu_buffer_wait(ad_engine *engine);
void ad_cpu_buffer_destroy(ad_engine *engine, ad_buffer **buffer);
void *ad_cpu_allocate(adatom_context *ctx, size_t bytes);
/* Whether `bytes` at `offset` lie in `size` bytes; else fails with a message that begins with `what`. */
adatom_status ad_cpu_within(const ad_engine *engine, const char *what, size_t offset, size_t bytes, size_t size);

/* engine_program.c: ad_engine_api.program_* */
adatom_status ad_cpu_program_create(ad_engine *base, const ad_plan *plan, ad_buffer *const *external, ad_program **out);
adatom_status ad_cpu_program_write(ad_program *p, int tensor, size_t offset, const void *data, size_t bytes);
adatom_status ad_cpu_program_read(ad_program *p, int tensor, size_t offset, void *data, size_t bytes);
adatom_status ad_cpu_program_run(ad_program *p, const ad_run *runs, int count);
void ad_cpu_program_destroy(ad_program **program);
adatom_status ad_cpu_program_profile(ad_program *p, bool on);
double ad_cpu_program_op_ns(ad_program *p, int op);
#endif
