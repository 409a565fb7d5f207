/* What training has besides layers: the loss with each kind of target, against central differences; pictures that are
 * turned; blocks that are dropped. The reference alone, in double precision. */
#include "tests/gradient/pairs.h"

#include <math.h>

enum { ROWS = 4, CLASSES = 5, COUNT = ROWS * CLASSES };

START_TEST(cross_entropy) {
    enum { LOGITS, LABELS, LOSS = 3, DLOGITS, MIX = 6, TEACHER };
    static const struct {
        float smoothing, taught;
        bool unlabelled, mixed;
    } targets[] = {{0, 0, false, false},    {0.1f, 0, false, false},  {0.1f, 0, true, false},
                   {0, 0, false, true},     {0.1f, 0, false, true},   {0.1f, 0.4f, true, false},
                   {0.2f, 1, false, false}, {0.1f, 0.7f, false, true}};
    ad_op op = make_op(AD_OP_SOFTMAX_CE, (ad_geometry){.n = ROWS, .o = CLASSES});
    op.f[0] = targets[_i].smoothing;
    op.f[1] = targets[_i].taught;
    op.f[2] = 2.5f;
    ad_random random = ad_random_make(9, AD_STREAM_CHECK, 0);
    arrays a = {{[LOGITS] = make_role(COUNT, &random),
                 [LABELS] = make_role(ROWS, &random),
                 [LOSS] = make_role(1, &random),
                 [DLOGITS] = make_role(COUNT, &random)}};
    double *logits = a.role[LOGITS].value, *labels = a.role[LABELS].value;
    for (size_t e = 0; e < a.role[LABELS].count; e++) labels[e] = ad_random_below(&random, CLASSES);
    if (targets[_i].unlabelled) labels[1] = labels[4] = labels[6] = -1; /* rows that don't count */
    if (targets[_i].mixed) {
        a.role[MIX] = make_role(AD_MIX_COLUMNS, &random);
        a.role[MIX].value[AD_MIX_SHARE] = 0.3;
    }
    if (targets[_i].taught > 0) a.role[TEACHER] = make_role(COUNT, &random);
    /* These are addressed as a whole. */
    a.role[LABELS].stride = a.role[LOSS].stride = a.role[MIX].stride = a.role[TEACHER].stride = 0;

    ad_reference_run(&op, a.role);
    arrays loss = a; /* without the gradient */
    loss.role[DLOGITS] = absent;
    for (size_t e = 0; e < a.role[LOGITS].count; e++) {
        const double h = 1e-5, start = logits[e];
        logits[e] = start + h;
        ad_reference_run(&op, loss.role);
        const double above = a.role[LOSS].value[e / COUNT];
        logits[e] = start - h;
        ad_reference_run(&op, loss.role);
        const double below = a.role[LOSS].value[e / COUNT];
        logits[e] = start;
        assert_close("dlogits", e, a.role[DLOGITS].value[e], (above - below) / (2 * h), 1, 1e-9);
    }
    clear(&a);
}
END_TEST

/* A mixture of two pictures has the loss of the one label and of the other, by its share; a teacher that agrees adds
 * nothing. */
START_TEST(losses_of_soft_targets) {
    enum { LOGITS, LABELS, LOSS = 3, MIX = 6, TEACHER };
    ad_op op = make_op(AD_OP_SOFTMAX_CE, (ad_geometry){.n = ROWS, .o = CLASSES});
    op.tasks = 1;
    op.f[0] = 0.1f;
    double logits[COUNT], labels[] = {2, 0, 4, 4}, next[] = {0, 4, 4, 2}, loss = 0, mix[AD_MIX_COLUMNS] = {0};
    ad_random random = ad_random_make(10, AD_STREAM_CHECK, 0);
    for (int e = 0; e < COUNT; e++) logits[e] = ad_random_normal(&random);
    ad_reference_role roles[AD_OP_TENSORS] = {[LOGITS] = {.value = logits, .count = COUNT},
                                              [LABELS] = {.value = labels, .count = ROWS},
                                              [LOSS] = {.value = &loss, .count = 1}};
    ad_reference_run(&op, roles);
    const double own = loss;
    roles[LABELS].value = next;
    ad_reference_run(&op, roles);
    const double other = loss;
    roles[LABELS].value = labels;
    roles[MIX] = (ad_reference_role){.value = mix, .count = AD_MIX_COLUMNS};
    mix[AD_MIX_SHARE] = 0.75;
    ad_reference_run(&op, roles);
    assert_close("mixed", 0, loss, 0.75 * own + 0.25 * other, 1, 1e-12);
    roles[MIX] = absent;
    op.f[1] = 0.5f;
    op.f[2] = 3;
    roles[TEACHER] = (ad_reference_role){.value = logits, .count = COUNT};
    ad_reference_run(&op, roles);
    assert_close("taught", 0, loss, 0.5 * own, 1, 1e-12);
}
END_TEST

/* Four pictures that are one, and four that are another, turned. Each is shifted, flipped or not, and jittered as the
 * first and second picture are without turns. */
START_TEST(turned_pictures) {
    enum { DATA, INDEX, NORM = 3, X, PICTURES = 8, SIDE = 5, ROWS_OF_DATA = 7, PIXELS = SIDE * SIDE * 4 };
    double data[2 * ROWS_OF_DATA * ROWS_OF_DATA * 3], index[PICTURES] = {0, 1};
    double norm[8] = {1, 1, 1, 1}, plain[PICTURES * PIXELS], turned[PICTURES * PIXELS];
    ad_random random = ad_random_make((uint64_t)_i, AD_STREAM_CHECK, 3);
    for (size_t e = 0; e < AD_COUNT(data); e++) data[e] = ad_random_below(&random, 256);
    ad_op op = make_op(AD_OP_GATHER, (ad_geometry){.n = PICTURES, .h = SIDE, .w = SIDE, .c = 4});
    op.tasks = 1;
    op.flags = AD_FLIP;
    const int integers[] = {0, 2, ROWS_OF_DATA, ROWS_OF_DATA, 1 + _i % 2, 2, _i, 1};
    const float numbers[] = {0.2f, 1, 0.75f, 4 / 3.0f, 0.4f, 0.4f, 0.4f, 0.5f};
    for (size_t i = 0; i < AD_COUNT(integers); i++) {
        op.i[i] = integers[i];
        op.f[i] = numbers[i];
    }
    ad_reference_role roles[AD_OP_TENSORS] = {[DATA] = {.value = data, .count = AD_COUNT(data)},
                                              [INDEX] = {.value = index, .count = PICTURES},
                                              [NORM] = {.value = norm, .count = 8},
                                              [X] = {.value = plain, .count = PICTURES * PIXELS}};
    ad_reference_run(&op, roles);
    for (int n = 0; n < PICTURES; n++) index[n] = n / 4;
    op.flags |= AD_TURN;
    roles[X].value = turned;
    ad_reference_run(&op, roles);
    const int last = SIDE - 1;
    for (int n = 0; n < PICTURES; n++)
        for (int p = 0; p < SIDE; p++)
            for (int q = 0; q < SIDE; q++) {
                const int from[4][2] = {{p, q}, {q, last - p}, {last - p, last - q}, {last - q, p}};
                const double *got = turned + n * PIXELS + (p * SIDE + q) * 4;
                const double *want = plain + n / 4 * PIXELS + (from[n % 4][0] * SIDE + from[n % 4][1]) * 4;
                for (size_t ch = 0; ch < 4; ch++) assert_close("turned", (size_t)n, got[ch], want[ch], 1, 0);
            }
}
END_TEST

/* The share of numbers that are dropped, and that they are whole blocks. */
START_TEST(dropped_blocks) {
    static const struct {
        int side, ramp, step;
        float rate;
        double least, most; /* blocks overlap, so that it is less than the rate */
    } drops[] = {{1, 0, 1, 0.2f, 0.19, 0.21},  {3, 0, 2, 0.1f, 0.085, 0.101}, {5, 0, 3, 0.3f, 0.23, 0.3},
                 {1, 10, 5, 0.4f, 0.19, 0.21}, {2, 8, 0, 0.5f, 0, 0},         {1, 10, 50, 0.4f, 0.39, 0.41}};
    const int b = drops[_i].side;
    ad_op op = make_op(AD_OP_DROP_MASK, (ad_geometry){.n = 8, .h = 11, .w = 10, .c = 12});
    const ad_geometry *g = &op.g;
    op.i[0] = b;
    op.i[1] = drops[_i].ramp;
    op.f[0] = drops[_i].rate;
    ad_random random = ad_random_make(1, AD_STREAM_CHECK, 4);
    ad_reference_role counter = make_role(1, &random), mask = make_role(ad_op_elements(&op, 1), &random);
    counter.stride = 0;
    counter.value[0] = drops[_i].step;
    run(op, counter, mask, absent, absent, absent, absent);
    double dropped = 0;
    for (size_t e = 0; e < mask.count; e++) dropped += mask.value[e] == 0;
    dropped /= (double)mask.count;
    ck_assert_msg(dropped >= drops[_i].least && dropped <= drops[_i].most, "%g dropped", dropped);
    for (int n = 0; n < TASKS * g->n; n++)
        for (int at = 0; at < g->h * g->w * g->c; at++) {
            const double *channel = mask.value + n * g->h * g->w * g->c + at % g->c;
            const int h = at / g->c / g->w, w = at / g->c % g->w;
            if (channel[(h * g->w + w) * g->c] != 0) continue;
            bool whole = false; /* some block around it is */
            for (int corner = 0; corner < b * b; corner++) {
                const int top = h - corner / b, left = w - corner % b;
                bool clear = top >= 0 && left >= 0 && top + b <= g->h && left + b <= g->w;
                for (int e = 0; clear && e < b * b; e++)
                    clear = channel[((top + e / b) * g->w + left + e % b) * g->c] == 0;
                whole = whole || clear;
            }
            ck_assert(whole);
        }
    ad_free(counter.value);
    ad_free(mask.value);
}
END_TEST

/* The mean of a channel of one number stays what it is, and the derivative is the operation itself. */
START_TEST(what_is_not_dropped) {
    enum { X, MASK, STATS, Y };
    ad_op stats = make_op(AD_OP_BN_STATS, geometry(1, 1, 0, 1)), op = make_op(AD_OP_DROP_APPLY, stats.g);
    const size_t c = (size_t)op.g.c;
    ad_random random = ad_random_make(2, AD_STREAM_CHECK, 4);
    arrays a = make_arrays(&op, &random);
    double *x = a.role[X].value, *mask = a.role[MASK].value, *y = a.role[Y].value;
    for (size_t e = 0; e < a.role[MASK].count; e++) mask[e] = ad_random_below(&random, 3) > 0;
    run(stats, a.role[MASK], a.role[STATS], absent, absent, absent, absent);
    ad_reference_role dy = make_role(a.role[Y].stride, &random), gradient = make_role(a.role[X].stride, &random);
    run(op, dy, a.role[MASK], a.role[STATS], gradient, absent, absent);
    for (size_t e = 0; e < a.role[X].count; e += 3) {
        const double h = 1e-3, start = x[e];
        x[e] = start + h;
        const double above = weighted_output(&op, &a, Y, &dy);
        x[e] = start - h;
        const double below = weighted_output(&op, &a, Y, &dy);
        x[e] = start;
        assert_close("drop-apply", e, gradient.value[e], (above - below) / (2 * h), fabs(gradient.value[e]), 1e-9);
    }
    for (size_t e = 0; e < a.role[X].count; e++) x[e] = (double)(e % c) + 1;
    ad_reference_run(&op, a.role);
    for (size_t ch = 0; ch < c; ch++) {
        double mean = 0;
        for (size_t e = ch; e < a.role[Y].stride; e += c) mean += y[e] * (double)c / (double)a.role[Y].stride;
        assert_close("mean", ch, mean, (double)ch + 1, 1, 1e-12);
    }
    ad_free(dy.value);
    ad_free(gradient.value);
    clear(&a);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gradient_training");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, cross_entropy, 0, 8);
    tcase_add_test(tests, losses_of_soft_targets);
    tcase_add_loop_test(tests, turned_pictures, 0, 8);
    tcase_add_loop_test(tests, dropped_blocks, 0, 6);
    tcase_add_test(tests, what_is_not_dropped);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
