/* What the files of the CPU engine share: a call (one operation with its memory, for some or all of its tasks),
 * kernels, and how they are spread over threads. A kernel cuts its sums into parts whose size depends on the geometry
 * only, never on the numbers of threads and tasks, and adds them in their order: the result is the same bytes for any
 * of them. */
#ifndef AD_CPU_INTERNAL_H
#define AD_CPU_INTERNAL_H

#include "cpu/cpu.h"
#include "cpu/tile.h"

typedef struct ad_cpu_call {
    const ad_op *op;
    int first,
        tasks; /* the tasks it is for; kernels count them from 0. Tables [round][task] hold all op->tasks of them */
    int threads;
    int variant; /* 1.. */
    const ad_cpu_tiles *tiles;
    char *base[AD_OP_TENSORS];    /* the first task's part of each role; NULL: absent */
    size_t stride[AD_OP_TENSORS]; /* bytes from one task to the next */
    bool half[AD_OP_TENSORS];     /* the role is AD_F16 */
    float *scratch;               /* as many floats as the kernel asked for */
    float *kept;                  /* floats of its own that stay from run to run; NULL: it has none */
    bool ready;                   /* kept holds what the last run left there, and the weights are the same */
} ad_cpu_call;

/* Role `role` of task first + `task`; NULL if absent. */
static inline void *ad_cpu_at(const ad_cpu_call *call, int role, int task) {
    return call->base[role] ? call->base[role] + (size_t)task * call->stride[role] : NULL;
}

/* Number e of a role that may be AD_F16. */
static inline char *ad_cpu_number(const ad_cpu_call *call, int role, int task, size_t e) {
    return call->base[role] + (size_t)task * call->stride[role] + e * ad_cpu_bytes(call->half[role]);
}

/* Some rows of an image's y, and what they are made of: `from` is where row from_row of x begins, `to` where row to_row
 * of y does. */
typedef struct ad_cpu_rows {
    int task, first, count;
    size_t image;
    const float *from;
    float *to;
    int from_row, to_row;
} ad_cpu_rows;

typedef struct ad_cpu_kernel {
    void (*run)(const ad_cpu_call *call);
    size_t (*scratch)(const ad_cpu_call *call); /* floats it needs; NULL: none. call->scratch is not set yet */
    /* Floats that it makes of role 1, its weights, and would keep. NULL: none. */
    size_t (*kept)(const ad_cpu_call *call);
    /* For chains (chain.c), of its first variant. keep: makes what is kept, of the first task's weights; with `kept`.
     * rows: made by one thread with what is kept and rows_scratch floats (NULL: none) in call->scratch; NULL: it
     * cannot. */
    void (*keep)(const ad_cpu_call *call);
    void (*rows)(const ad_cpu_call *call, const ad_cpu_rows *rows);
    size_t (*rows_scratch)(const ad_cpu_call *call, int count); /* for so many rows */
    const char *const *variants; /* names, NULL-ended, the best first; NULL: the one way "loops" */
    bool (*applies)(const ad_op *op, int variant, const ad_cpu_tiles *tiles); /* NULL: always */
    int (*fast)(const ad_op *op, const ad_cpu_tiles *tiles); /* the variant for AD_FAST; 0 or NULL: the best as ever */
    int winograd; /* the variant that ad_engine_api.variant_winograd tells; 0: none */
} ad_cpu_kernel;

/* Every operation of ops.def has one definition `const ad_cpu_kernel ad_cpu_kernel_NAME`. */
#define AD_OP(NAME, name, roles) extern const ad_cpu_kernel ad_cpu_kernel_##NAME;
#include "plan/ops.def"

extern const ad_cpu_kernel *const ad_cpu_kernels[AD_OP_COUNT];

/* The items of a kernel's loop, in parallel. Followed by a for statement. A region this small is not worth waking
 * threads. */
#define AD_CPU_PRAGMA(text) _Pragma(#text)
#define AD_CPU_PARALLEL(call, work)                                                                                    \
    AD_CPU_PRAGMA(omp parallel for schedule(static) num_threads((call)->threads) if ((work) > 16384))

static inline size_t ad_cpu_round_up(size_t count, size_t to) { return (count + to - 1) / to * to; }
/* The greatest common divisor; b, where a is 0, and a, where b is. */
static inline size_t ad_cpu_divisor(size_t a, size_t b) {
    while (b) {
        const size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* y (+)= v: what a 'w' role does without and with AD_ACCUMULATE. */
static inline void ad_cpu_put(float *y, float v, bool accumulate) { *y = accumulate ? *y + v : v; }
static inline bool ad_cpu_accumulates(const ad_cpu_call *call) { return call->op->flags & AD_ACCUMULATE; }

/* COMPOSE*, DEPTH*: channels of a group of inputs and of outputs, and the numbers of such groups: one of everything
 * without groups. */
typedef struct ad_cpu_groups {
    size_t c, o, inputs, outputs;
} ad_cpu_groups;
static inline ad_cpu_groups ad_cpu_groups_of(const ad_geometry *g) {
    const size_t c = (size_t)g->c, o = (size_t)g->o, group = (size_t)g->group;
    return g->group ? (ad_cpu_groups){group, group, c / group, o / group} : (ad_cpu_groups){c, o, 1, 1};
}

float ad_cpu_dot(const float *a, const float *b, size_t count);
void ad_cpu_add_scaled(float *y, const float *x, float scale, size_t count); /* y += scale x */
void ad_cpu_sum_rows(float *sum, const float *x, size_t rows, size_t c);     /* sum[k] += x[row][k] of all rows */

/* Sums over rows are cut into this many chunks at most, of at least 256 rows. */
enum { AD_CPU_CHUNK_ROWS = 256, AD_CPU_CHUNKS = 128 };
static inline size_t ad_cpu_chunk_rows(size_t rows) {
    return AD_MAX((rows + AD_CPU_CHUNKS - 1) / AD_CPU_CHUNKS, (size_t)AD_CPU_CHUNK_ROWS);
}
static inline size_t ad_cpu_chunk_count(size_t rows) {
    const size_t size = ad_cpu_chunk_rows(rows);
    return AD_MAX((rows + size - 1) / size, 1);
}
/* y[i] (+)= scale * the sum over chunks of partial[chunk][i], in the order of the chunks, in double. */
void ad_cpu_reduce(float *y, const float *partial, size_t chunks, size_t count, double scale, bool accumulate);
/* chain.c: the calls of a chain (AD_CHAINED) in turns of a few rows, which gives the same bytes as one after the other
 * but for what lies between them. Scratch: floats from calls[0].scratch on; 0: they cannot be run like this. */
size_t ad_cpu_chain_scratch(const ad_cpu_call *calls, int count, int threads);
void ad_cpu_chain_run(const ad_cpu_call *calls, int count);
/* probe.c: ad_engine_api.probe with that many threads. */
adatom_status ad_cpu_probe(adatom_context *ctx, int threads, ad_probe *probe);
#endif
