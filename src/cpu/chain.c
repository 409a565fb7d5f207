/* Chains of convolutions, some rows at a time: a row of what lies between two of them is used while it is in the cache,
 * and never written to memory. Each thread has a buffer of rows after every operation but the last. A turn makes a few
 * rows of the result, and before them, from the operation asked on down, the rows that are missing. */
#include "cpu/cpu_internal.h"

#include <omp.h>
#include <string.h>

/* Buffers of a thread, which leave room for weights in a usual second-level cache, and rows of a thread's share of an
 * image, so that few are made twice. */
enum { BUFFER_FLOATS = 128 << 10, LEAST_ROWS = 8, W = 1, Y = 3 };

typedef struct chain {
    const ad_cpu_call *calls;
    int count, turn;              /* turn: rows of the result made together */
    int capacity[AD_CHAIN_MOST];  /* rows of a buffer */
    size_t buffer[AD_CHAIN_MOST]; /* where it begins in a thread's floats */
    size_t scratch, own;          /* where the kernels' scratch begins; all of a thread's floats */
} chain;

static size_t row_floats(const ad_cpu_call *call) { return (size_t)call->op->g.ow * (size_t)call->op->g.o; }

/* Rows of x that rows [first, end) of y read. */
static int first_read(const ad_geometry *g, int first) { return AD_MIN(AD_MAX(first * g->stride - g->pad, 0), g->h); }
static int end_read(const ad_geometry *g, int end) {
    return AD_MIN(AD_MAX((end - 1) * g->stride - g->pad + (g->k - 1) * g->dil + 1, 0), g->h);
}

/* Lays the buffers for turns of so many rows; returns their floats. */
static size_t lay(chain *c, int turn) {
    size_t floats = 0;
    c->turn = turn;
    for (int i = c->count - 2, rows = turn; i >= 0; i--) {
        const ad_geometry *next = &c->calls[i + 1].op->g;
        rows = AD_MIN((rows - 1) * next->stride + (next->k - 1) * next->dil + 1, next->h);
        c->capacity[i] = rows;
        c->buffer[i] = floats;
        floats += ad_cpu_round_up((size_t)rows * row_floats(&c->calls[i]), 16);
    }
    return floats;
}

static chain chain_of(const ad_cpu_call *calls, int count) {
    chain c = {.calls = calls, .count = count};
    const int rows = calls[count - 1].op->g.oh;
    int turn = 1;
    while (turn < rows && lay(&c, turn + 1) <= BUFFER_FLOATS) turn++;
    c.scratch = lay(&c, turn);
    size_t most = 0;
    for (int i = 0; i < count; i++) {
        const ad_cpu_kernel *kernel = ad_cpu_kernels[calls[i].op->kind];
        if (kernel->rows_scratch)
            most = AD_MAX(most, kernel->rows_scratch(&calls[i], i < count - 1 ? c.capacity[i] : turn));
    }
    c.own = ad_cpu_round_up(c.scratch + most, 16);
    return c;
}

static size_t kept_floats(const ad_cpu_call *call) {
    const ad_cpu_kernel *kernel = ad_cpu_kernels[call->op->kind];
    return kernel->keep ? ad_cpu_round_up(kernel->kept(call), 16) : 0;
}

size_t ad_cpu_chain_scratch(const ad_cpu_call *calls, int count, int threads) {
    size_t floats = 0;
    for (int i = 0; i < count; i++) {
        if (!ad_cpu_kernels[calls[i].op->kind]->rows || calls[i].variant != 1) return 0;
        floats += kept_floats(&calls[i]);
    }
    return floats + (size_t)threads * chain_of(calls, count).own;
}

/* What a thread has of an image: rows [begin, end) after each operation are in its buffer. */
typedef struct progress {
    const chain *chain;
    float *own;
    int task;
    size_t image;
    int begin[AD_CHAIN_MOST], end[AD_CHAIN_MOST];
} progress;

static void make(progress *p, int i, int first, int end, float *to, int to_row) {
    const chain *c = p->chain;
    ad_cpu_call call = c->calls[i];
    const ad_geometry *g = &call.op->g;
    ad_cpu_rows rows = {.task = p->task,
                        .image = p->image,
                        .first = first,
                        .count = end - first,
                        .to = to,
                        .to_row = to_row,
                        .from = p->own};
    call.scratch = p->own + c->scratch;
    if (i > 0) {
        rows.from += c->buffer[i - 1];
        rows.from_row = p->begin[i - 1];
    } else {
        rows.from = (const float *)ad_cpu_at(&call, 0, p->task) + p->image * (size_t)g->h * (size_t)g->w * (size_t)g->c;
    }
    ad_cpu_kernels[call.op->kind]->rows(&call, &rows);
}

/* Has rows [first, end) of what operation `last` makes in its buffer. Neither of the two ever goes back. */
static void advance(progress *p, int last, int first, int end) {
    const chain *c = p->chain;
    int from[AD_CHAIN_MOST], to[AD_CHAIN_MOST]; /* what has to be in the buffers */
    from[last] = first;
    to[last] = AD_MAX(end, first);
    for (int i = last; i > 0; i--) { /* of what i has already, nothing needs to be read */
        const ad_geometry *g = &c->calls[i].op->g;
        const int begin = AD_MAX(p->end[i], from[i]);
        from[i - 1] = first_read(g, begin);
        to[i - 1] = to[i] > begin ? AD_MAX(end_read(g, to[i]), from[i - 1]) : from[i - 1];
    }
    for (int i = 0; i <= last; i++) {
        const size_t row = row_floats(&c->calls[i]);
        float *buffer = p->own + c->buffer[i];
        const int kept = AD_MAX(p->end[i] - from[i], 0);
        if (kept && from[i] > p->begin[i])
            memmove(buffer, buffer + (size_t)(from[i] - p->begin[i]) * row, (size_t)kept * row * sizeof *buffer);
        p->begin[i] = from[i];
        p->end[i] = from[i] + kept;
        if (to[i] <= p->end[i]) continue;
        make(p, i, p->end[i], to[i], buffer, p->begin[i]);
        p->end[i] = to[i];
    }
}

/* Rows [first, end) of an image's result. */
static void run_rows(const chain *c, float *own, int task, size_t image, int first, int end) {
    const int last = c->count - 1;
    const ad_cpu_call *call = &c->calls[last];
    const ad_geometry *g = &call->op->g;
    progress p = {.chain = c, .own = own, .task = task, .image = image};
    float *y = (float *)ad_cpu_at(call, Y, task) + image * (size_t)g->oh * row_floats(call);
    for (int next; first < end; first = next) {
        next = AD_MIN(first + c->turn, end);
        advance(&p, last - 1, first_read(g, first), end_read(g, next));
        make(&p, last, first, next, y, 0);
    }
}

/* What the operations keep, of tasks from `task` on; where they have no memory for it, in scratch. Returns the rest of
 * scratch. */
static float *keep(ad_cpu_call *calls, int count, int task, float *scratch) {
    for (int i = 0; i < count; i++) {
        const size_t floats = kept_floats(&calls[i]);
        if (!floats || calls[i].ready) continue;
        ad_cpu_call call = calls[i];
        call.base[W] = ad_cpu_at(&call, W, task);
        if (!call.kept) {
            calls[i].kept = call.kept = scratch;
            scratch += floats;
        }
        ad_cpu_kernels[call.op->kind]->keep(&call);
    }
    return scratch;
}

void ad_cpu_chain_run(const ad_cpu_call *given, int count) {
    ad_cpu_call calls[AD_CHAIN_MOST];
    bool shared = true; /* all tasks have the same of what is kept */
    for (int i = 0; i < count; i++)
        shared = shared && (!ad_cpu_kernels[given[i].op->kind]->keep || given[i].stride[W] == 0);
    const size_t tasks = (size_t)given[0].tasks, together = shared ? tasks : 1, threads = (size_t)given[0].threads;
    const int rows = given[count - 1].op->g.oh;
    /* As many pieces of an image as give every thread as much, unless they become small. */
    const size_t images = together * (size_t)given[0].op->g.n,
                 pieces = AD_MAX(AD_MIN(threads / ad_cpu_divisor(images, threads), (size_t)(rows / LEAST_ROWS)), 1);
    for (size_t task = 0; task < tasks; task += together) {
        memcpy(calls, given, (size_t)count * sizeof *calls);
        float *own = keep(calls, count, (int)task, given[0].scratch);
        const chain c = chain_of(calls, count);
        AD_CPU_PARALLEL(&given[0], SIZE_MAX)
        for (size_t item = 0; item < images * pieces; item++) {
            const size_t image = item / pieces, piece = item % pieces, n = (size_t)given[0].op->g.n;
            run_rows(&c, own + (size_t)omp_get_thread_num() * c.own, (int)(task + image / n), image % n,
                     (int)((size_t)rows * piece / pieces), (int)((size_t)rows * (piece + 1) / pieces));
        }
    }
}
