/* One operation on one task, and the arithmetic of its error bounds. */
#ifndef AD_REFERENCE_INTERNAL_H
#define AD_REFERENCE_INTERNAL_H

#include "verify/reference/reference.h"
#include <math.h>

/* Unit roundoff of float32. One ULP, the unit of the Vulkan specification's precision table, is at most two
 * of these. */
#define EPS 0x1p-24
/* What the specification allows, as relative errors: division 2.5 ULP; 1/sqrt 2 ULP; sqrt as 1/(1/sqrt), 4.5 ULP; so
 * 1/sqrt(x) by division 7 ULP. exp(x): 3 + 2|x| ULP. log: 3 ULP, or 2^-21 absolute near 1. */
#define DIVISION (5 * EPS)
#define SQRT (9 * EPS)
#define RSQRT (14 * EPS)
/* Results below the smallest normal number may be flushed to zero. */
#define FLUSHED 0x1p-125

typedef struct task_op {
    const ad_op *op;
    ad_geometry g;
    int task;
    double *v[AD_OP_TENSORS]; /* this task's part of each role; NULL: absent */
    double *bound[AD_OP_TENSORS];
    size_t stride[AD_OP_TENSORS]; /* from one task to the next, for TASK_SUM */
} task_op;

/* A sum of products on its way: value, sum of absolute terms, number of terms. */
typedef struct sum {
    double value, magnitude, terms;
} sum;

static inline void add(sum *s, double term) {
    s->value += term;
    s->magnitude += fabs(term);
    s->terms++;
}

/* n terms added in any order, each the product of a few factors: (n-1) roundings of partial sums at worst, about
 * sqrt(n) of them as a rule (random signs), and a handful per term. */
static inline double sum_bound(sum s) { return (4 + 2 * sqrt(s.terms)) * EPS * s.magnitude; }

static inline void put(const task_op *r, int role, size_t at, double value, double bound) {
    if (!r->v[role]) return;
    r->v[role][at] = value;
    if (r->bound[role]) r->bound[role][at] = bound;
}

/* Writes a sum, or adds it to what is there. */
static inline void put_sum(const task_op *r, int role, size_t at, sum s) {
    if (!r->v[role]) return;
    if (r->op->flags & AD_ACCUMULATE) add(&s, r->v[role][at]);
    put(r, role, at, s.value, sum_bound(s));
}

/* [n][rows][columns][channels], last index fastest. */
static inline size_t at4(int n, int row, int column, int channel, int rows, int columns, int channels) {
    return (((size_t)n * (size_t)rows + (size_t)row) * (size_t)columns + (size_t)column) * (size_t)channels +
           (size_t)channel;
}
static inline size_t at3(int a, int b, int c, int bs, int cs) {
    return ((size_t)a * (size_t)bs + (size_t)b) * (size_t)cs + (size_t)c;
}
static inline size_t at2(int a, int b, int bs) { return (size_t)a * (size_t)bs + (size_t)b; }

/* The input row (or column) that tap i of output row p reads; -1 outside the image of that size. */
static inline int input_of(const ad_geometry *g, int p, int i, int size) {
    int row = p * g->stride - g->pad + i * g->dil;
    return row < size ? row : -1;
}
/* The output row whose tap i reads input row h; -1 if there is none. */
static inline int output_of(const ad_geometry *g, int h, int i, int size) {
    int distance = h + g->pad - i * g->dil;
    return distance >= 0 && distance % g->stride == 0 && distance / g->stride < size ? distance / g->stride : -1;
}

/* Groups of channels (COMPOSE*, DEPTH*): channels of a group of inputs and of outputs; without groups all of them. */
static inline int group_c(const ad_geometry *g) { return g->group ? g->group : g->c; }
static inline int group_o(const ad_geometry *g) { return g->group ? g->group : g->o; }
/* The numbers of such groups. */
static inline int groups_c(const ad_geometry *g) { return g->group ? g->c / g->group : 1; }
static inline int groups_o(const ad_geometry *g) { return g->group ? g->o / g->group : 1; }

/* Element [m][ij] of the atoms between input group `from` and output group `to`. */
static inline size_t psi_at(const ad_geometry *g, int to, int from, int m, int ij) {
    return at4(to, from, m, ij, groups_c(g), g->m, g->k * g->k);
}

/* The round of index, labels, loss, predicted: counter is role `counter`. */
static inline int round_of(const task_op *r, int counter) {
    return r->v[counter] ? (int)((uint32_t)r->v[counter][0] % (uint32_t)r->op->i[7]) : 0;
}

#define AD_OP(NAME, name, roles) void ad_reference_##NAME(const task_op *r);
#include "plan/ops.def"
#endif
