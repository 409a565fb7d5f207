/* What the gradient tests share: operands of random numbers, and pairs of a forward operation and its derivative. */
#ifndef GRADIENT_PAIRS_H
#define GRADIENT_PAIRS_H

#include "tests/run_suite.h"
#include "verify/reference/reference.h"

enum { TASKS = 2, DY = 100, RESULT = 101, NONE = -1 };

typedef struct arrays {
    ad_reference_role role[AD_OP_TENSORS];
} arrays;

ad_op make_op(int kind, ad_geometry g);
ad_reference_role make_role(size_t count, ad_random *random);
arrays make_arrays(const ad_op *op, ad_random *random);
void clear(arrays *a);
void assert_close(const char *what, size_t at, double got, double want, double scale, double tolerance);

/* from[r]: what role r of the backward operation is: a role of the forward operation, DY, RESULT or NONE. */
typedef struct pair {
    int forward, with_respect_to, output, backward;
    int from[AD_OP_TENSORS];
} pair;

/* Runs op and returns sum(dy * output). */
double weighted_output(const ad_op *op, const arrays *a, int output, const ad_reference_role *dy);
/* The gradient of the loss sum(dy * output), for up to 50 elements spread over the operand. */
void check_pair(const pair *p, ad_op forward, ad_op backward, uint64_t seed);
/* Images of 7 x 6 with 4 channels in and 8 out. */
ad_geometry geometry(int k, int stride, int pad, int dil);

/* Runs op with its first six roles. */
void run(ad_op op, ad_reference_role a, ad_reference_role b, ad_reference_role c, ad_reference_role d,
         ad_reference_role e, ad_reference_role f);
static const ad_reference_role absent = {0};
#endif
