#include "tests/gradient/pairs.h"
#include "plan/activation.h"

#include <math.h>

static double *random_numbers(size_t count, ad_random *random) {
    double *v = ad_malloc(NULL, count, sizeof *v);
    ck_assert_ptr_nonnull(v);
    for (size_t e = 0; e < count; e++) v[e] = ad_random_normal(random);
    return v;
}

ad_op make_op(int kind, ad_geometry g) {
    ad_op op = {.kind = (uint16_t)kind, .tasks = TASKS, .g = g, .i = {[7] = 1}};
    return op;
}

ad_reference_role make_role(size_t count, ad_random *random) {
    return (ad_reference_role){.value = random_numbers(TASKS * count, random), .stride = count, .count = TASKS * count};
}

arrays make_arrays(const ad_op *op, ad_random *random) {
    enum { EPILOGUE = 3 }; /* y, behind which its operands stand */
    arrays a = {0};
    for (int r = 0; ad_op_role(op->kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++) {
        /* The gradients are those of the sum alone, not of what an epilogue makes of it. */
        if ((op->kind == AD_OP_CONV || op->kind == AD_OP_DEPTHWISE) && r > EPILOGUE) break;
        a.role[r] = make_role(ad_op_elements(op, r), random);
    }
    return a;
}

void clear(arrays *a) {
    for (int r = 0; r < AD_OP_TENSORS; r++) ad_free(a->role[r].value);
    *a = (arrays){0};
}

void assert_close(const char *what, size_t at, double got, double want, double scale, double tolerance) {
    ck_assert_msg(fabs(got - want) <= tolerance * fmax(1, scale), "%s[%zu]: %.15g, but %.15g", what, at, got, want);
}

double weighted_output(const ad_op *op, const arrays *a, int output, const ad_reference_role *dy) {
    double loss = 0;
    ad_reference_run(op, a->role);
    for (size_t e = 0; e < dy->count; e++) loss += dy->value[e] * a->role[output].value[e];
    return loss;
}

void check_pair(const pair *p, ad_op forward, ad_op backward, uint64_t seed) {
    ad_random random = ad_random_make(seed, AD_STREAM_CHECK, (uint32_t)(forward.kind * AD_OP_COUNT + backward.kind));
    arrays a = make_arrays(&forward, &random);
    if (!ad_act_by_output(ad_op_act(&forward))) { /* whose derivative knows no residual */
        ad_free(a.role[2].value);
        a.role[2] = (ad_reference_role){0};
    }
    const ad_reference_role *operand = &a.role[p->with_respect_to];
    ad_reference_role dy = make_role(a.role[p->output].stride, &random), gradient = make_role(operand->stride, &random);
    weighted_output(&forward, &a, p->output, &dy);

    arrays b = {0};
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (p->from[r] != NONE)
            b.role[r] = p->from[r] == DY ? dy : p->from[r] == RESULT ? gradient : a.role[p->from[r]];
    ad_reference_run(&backward, b.role);

    const size_t step = operand->count / 50 + 1;
    for (size_t e = 0; e < operand->count; e += step) {
        const double h = 1e-5, start = operand->value[e];
        operand->value[e] = start + h;
        const double above = weighted_output(&forward, &a, p->output, &dy);
        operand->value[e] = start - h;
        const double below = weighted_output(&forward, &a, p->output, &dy);
        operand->value[e] = start;
        assert_close(ad_op_name(backward.kind), e, gradient.value[e], (above - below) / (2 * h),
                     fabs(gradient.value[e]), 1e-7);
    }
    ad_free(dy.value);
    ad_free(gradient.value);
    clear(&a);
}

ad_geometry geometry(int k, int stride, int pad, int dil) {
    const int h = 7, w = 6;
    return (ad_geometry){.n = 2,
                         .h = h,
                         .w = w,
                         .c = 4,
                         .o = 8,
                         .m = 3,
                         .k = k,
                         .stride = stride,
                         .pad = pad,
                         .dil = dil,
                         .oh = (h + 2 * pad - dil * (k - 1) - 1) / stride + 1,
                         .ow = (w + 2 * pad - dil * (k - 1) - 1) / stride + 1};
}

void run(ad_op op, ad_reference_role a, ad_reference_role b, ad_reference_role c, ad_reference_role d,
         ad_reference_role e, ad_reference_role f) {
    const ad_reference_role roles[AD_OP_TENSORS] = {a, b, c, d, e, f};
    ad_reference_run(&op, roles);
}
