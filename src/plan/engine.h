/* What an engine (vk, cpu) offers. The rooms above use these functions only and never know which engine runs. */
#ifndef AD_PLAN_ENGINE_H
#define AD_PLAN_ENGINE_H

#include "plan/plan.h"
#include <adatom/device.h>

typedef struct ad_engine ad_engine;
typedef struct ad_buffer ad_buffer;   /* device memory that outlives programs */
typedef struct ad_program ad_program; /* a compiled plan with its own arenas */

typedef struct ad_limits {
    size_t tensor_bytes; /* the largest tensor (all tasks) an operation may touch: maxStorageBufferRange */
    size_t arena_bytes;  /* the largest single allocation */
    size_t memory_bytes; /* what may be used in total now: memory budget or free host memory */
    int lanes;           /* the lanes that plans should have: so many tasks run side by side (ad_plan.lanes) */
} ad_limits;

/* What the device can reach at most, measured without a plan. */
typedef enum ad_probe_kind {
    AD_PROBE_FMA32,  /* multiply-adds in registers, all processors */
    AD_PROBE_FMA16,  /* the same in half precision */
    AD_PROBE_MATRIX, /* matrix units: half-precision operands, float32 sums */
    AD_PROBE_READ,   /* memory far larger than caches */
    AD_PROBE_WRITE,
    AD_PROBE_COPY,
    AD_PROBE_SGEMM /* BLAS product of the host: C[m][n] = A[m][k] B[k][n] */
} ad_probe_kind;
enum { AD_PROBE_SAMPLES = 9 };
typedef struct ad_probe {
    ad_probe_kind kind;
    int m, n, k;
    double flops, bytes;         /* out: of one sample; a multiply-add counts 2, a copied byte 2 */
    double ns[AD_PROBE_SAMPLES]; /* out: after a warm-up */
    bool device_timer;           /* out */
} ad_probe;

enum { AD_MAX_VARIANTS = 9 }; /* size of arrays by variant; 0 is unused */

/* A variant that rounds its operands to half precision (sums stay float32). It is chosen only after it was judged. */
typedef enum ad_verdict { AD_VERDICT_NONE, AD_VERDICT_PASSED, AD_VERDICT_FAILED } ad_verdict;
typedef struct ad_half_variant {
    const char *name;
    bool offered; /* the device was opened for half precision, has what it needs, and it applies to the operation */
    ad_verdict verdict;
} ad_half_variant;

/* A multiply-add of the operation beside one of a dense convolution, in time: by these compile chooses the way of a
 * decomposed layer. */
typedef struct ad_conv_costs {
    float fused_atoms, fused_atoms_dx;
} ad_conv_costs;

/* A segment, `times` times. */
typedef struct ad_run {
    ad_segment_id segment;
    int times;
} ad_run;

typedef struct ad_engine_api {
    const char *name; /* "vulkan", "cpu" */
    void (*destroy)(ad_engine *);
    void (*describe)(const ad_engine *, adatom_device_info *out);
    void (*limits)(const ad_engine *, ad_limits *out);

    adatom_status (*buffer_create)(ad_engine *, size_t bytes, ad_buffer **out); /* contents undefined */
    adatom_status (*buffer_write)(ad_engine *, ad_buffer *, size_t offset, const void *data, size_t bytes);
    adatom_status (*buffer_read)(ad_engine *, ad_buffer *, size_t offset, void *data, size_t bytes);
    /* As buffer_write, but returns before the bytes are there: they move while programs run, and have arrived after
     * buffer_wait. Until then data stays as it is, no program touches these bytes and the buffer is not destroyed. */
    adatom_status (*buffer_send)(ad_engine *, ad_buffer *, size_t offset, const void *data, size_t bytes);
    /* For everything that was sent. After a failure nothing is on its way any more. */
    adatom_status (*buffer_wait)(ad_engine *);
    void (*buffer_destroy)(ad_engine *, ad_buffer **);

    /* Copies the plan. external[a] is the memory of arena a where plan->arenas[a].external (others ignored; may be NULL
     * if there is none). Owned arenas start undefined (the kernel check fills them with NaN). */
    adatom_status (*program_create)(ad_engine *, const ad_plan *, ad_buffer *const *external, ad_program **out);
    /* Whole or part of a tensor: bytes from its offset, task strides included as they lie. Synchronous. */
    adatom_status (*program_write)(ad_program *, int tensor, size_t offset, const void *data, size_t bytes);
    adatom_status (*program_read)(ad_program *, int tensor, size_t offset, void *data, size_t bytes);
    /* Does the runs one after another and waits. With lanes, a task may go through all of them before the next one
     * begins. An interrupt never ends a turn of a segment half done: INTERRUPTED from a call of one run with times = 1
     * means that nothing of it was done, OK that all of it was (a STEP counts or does not). INTERRUPTED from a longer
     * call means that some turns may be missing: with lanes not the same ones for every task; without lanes every task
     * has done the same whole turns, and the counter that a segment advances tells how many. */
    adatom_status (*program_run)(ad_program *, const ad_run *runs, int count);
    void (*program_destroy)(ad_program **);
    /* Nanoseconds the device spent in op number `op` during the last program_run of one run with times = 1 after
     * program_profile(on); < 0: no device timer. CPU: wall time. */
    adatom_status (*program_profile)(ad_program *, bool on);
    double (*program_op_ns)(ad_program *, int op);

    /* UNSUPPORTED (message set) where the device has no such thing. NULL: the engine can't tell. */
    adatom_status (*probe)(ad_engine *, ad_probe *);

    /* Number of variants that can run op in this plan (at least 1 for a supported operation; variant numbers 1..n may
     * have gaps: variant_name returns NULL for one that does not apply to this op's geometry; for 0 it names the one
     * that runs). */
    int (*variant_count)(const ad_engine *, int kind);
    const char *(*variant_name)(const ad_engine *, const ad_plan *, const ad_op *, int variant);
    /* Sets what variant 0 means for this kind and geometry class from now on (tuner; verified variants only). */
    void (*variant_prefer)(ad_engine *, const ad_plan *, const ad_op *, int variant);
    /* Whether the variant computes CONV by Winograd's F(4x4, 3x3), which has larger errors. NULL: the engine has none.
     */
    bool (*variant_winograd)(const ad_engine *, const ad_op *, int variant);
    /* Whether the variant is one of reduced precision, offered or not. NULL: the engine has none. */
    bool (*variant_half)(const ad_engine *, const ad_plan *, const ad_op *, int variant, ad_half_variant *out);
    /* Tells the result of the kernel check of a variant of reduced precision; kept with the caches. */
    void (*variant_judge)(ad_engine *, int kind, int variant, bool passed);
    /* Whether the tensors of which ops.def says so may be AD_F16: PASSED after the kernel check has passed with such
     * ones, on a device that was opened for half precision. */
    ad_verdict (*half_storage)(const ad_engine *);
    void (*half_storage_judge)(ad_engine *, bool passed); /* as variant_judge */
} ad_engine_api;

struct ad_engine { /* first member of each engine's own struct */
    const ad_engine_api *api;
    adatom_context *ctx;
    const ad_conv_costs *costs; /* NULL: dense convolutions are the fastest by far (half precision) */
    bool chains;                /* plans are to have AD_CHAINED operations */
};

static inline adatom_status ad_run_segment(const ad_engine_api *api, ad_program *program, ad_segment_id segment,
                                           int times) {
    return api->program_run(program, &(ad_run){segment, times}, 1);
}

/* cpu/cpu.h: adatom_status ad_cpu_engine_create(ctx, threads (0: all), out)
 * vk/vk.h:   adatom_status ad_vk_engine_create(ctx, const adatom_device_params *, int index, out), ad_vk_list(...) */
#endif
