/* The reference against itself: every backward operation against central differences of its forward operation, and the
 * ways of a decomposed convolution against each other. All in double precision. */
#include "tests/gradient/pairs.h"
#include "plan/activation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const ad_geometry *geometries(size_t *count) {
    static ad_geometry list[8];
    static const int sizes[][4] = {{1, 1, 0, 1}, {1, 2, 0, 1}, {3, 1, 1, 1}, {3, 2, 1, 1},
                                   {3, 1, 0, 1}, {5, 2, 2, 1}, {3, 1, 2, 2}, {7, 2, 3, 1}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) list[s] = geometry(sizes[s][0], sizes[s][1], sizes[s][2], sizes[s][3]);
    *count = AD_COUNT(sizes);
    return list;
}

/* More channels, in groups that share coefficients. */
static ad_geometry in_groups(ad_geometry g) {
    g.c = 8;
    g.o = 12;
    g.group = 4;
    return g;
}

START_TEST(convolutions) {
    static const pair pairs[] = {
        {AD_OP_CONV, 0, 3, AD_OP_CONV_DX, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_CONV, 1, 3, AD_OP_CONV_DW, {0, DY, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_CONV, 2, 3, AD_OP_CONV_DBIAS, {DY, RESULT, -1, -1, -1, -1, -1, -1}},
        {AD_OP_DEPTHWISE, 0, 3, AD_OP_DEPTHWISE_DX, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_DEPTHWISE, 1, 3, AD_OP_DEPTHWISE_DW, {0, DY, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_ATOMS, 0, 3, AD_OP_ATOMS_DU, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_ATOMS, 1, 3, AD_OP_ATOMS_DPSI, {0, DY, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_ATOMS, 2, 3, AD_OP_CONV_DBIAS, {DY, RESULT, -1, -1, -1, -1, -1, -1}},
        {AD_OP_DEPTH, 0, 2, AD_OP_DEPTH_DX, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_DEPTH, 1, 2, AD_OP_DEPTH_DPSI, {0, DY, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_FUSED_ATOMS, 0, 4, AD_OP_FUSED_ATOMS_DX, {DY, 1, 2, RESULT, -1, -1, -1, -1}},
        {AD_OP_FUSED_ATOMS, 3, 4, AD_OP_CONV_DBIAS, {DY, RESULT, -1, -1, -1, -1, -1, -1}},
    };
    size_t count = 0;
    const ad_geometry *list = geometries(&count);
    for (size_t s = 0; s < count; s++) {
        check_pair(&pairs[_i], make_op(pairs[_i].forward, list[s]), make_op(pairs[_i].backward, list[s]), s);
        if (pairs[_i].forward != AD_OP_DEPTH) continue;
        const ad_geometry g = in_groups(list[s]);
        check_pair(&pairs[_i], make_op(pairs[_i].forward, g), make_op(pairs[_i].backward, g), s);
    }
}
END_TEST

START_TEST(compositions) {
    static const pair pairs[] = {
        {AD_OP_COMPOSE, 0, 3, AD_OP_COMPOSE_DALPHA, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_COMPOSE, 1, 3, AD_OP_COMPOSE_DPSI, {DY, 0, RESULT, -1, -1, -1, -1, -1}},
    };
    for (size_t p = 0; p < 2 * AD_COUNT(pairs); p++) {
        const bool groups = p >= AD_COUNT(pairs);
        const pair *of = &pairs[p % AD_COUNT(pairs)];
        const ad_geometry g = groups ? in_groups(geometry(3, 1, 1, 1)) : geometry(3, 1, 1, 1);
        ad_op forward = make_op(AD_OP_COMPOSE, g), backward = make_op(of->backward, g);
        /* Coefficients shared with wider layers; the gradient of what the slice leaves out is zero. The scale is 1
         * here: it belongs to frozen batch norms, through which coefficients are not trained. */
        forward.i[0] = backward.i[0] = groups ? g.group : g.o + 5;
        forward.i[1] = backward.i[1] = groups ? g.group : g.c;
        ad_random random = ad_random_make(p, AD_STREAM_CHECK, 0);
        arrays a = make_arrays(&forward, &random);
        ad_free(a.role[0].value);
        a.role[0] = make_role((size_t)forward.i[1] * (size_t)g.m * (size_t)forward.i[0], &random);
        for (size_t e = 0; e < a.role[2].count; e++) a.role[2].value[e] = 1;
        const ad_reference_role *operand = &a.role[of->with_respect_to];
        ad_reference_role dy = make_role(a.role[3].stride, &random), gradient = make_role(operand->stride, &random);
        const arrays b = {{dy, a.role[1 - of->with_respect_to], gradient}};
        ad_reference_run(&backward, b.role);
        for (size_t e = 0; e < operand->count; e++) {
            const double h = 1e-4, start = operand->value[e];
            operand->value[e] = start + h;
            const double above = weighted_output(&forward, &a, 3, &dy);
            operand->value[e] = start - h;
            const double below = weighted_output(&forward, &a, 3, &dy);
            operand->value[e] = start;
            assert_close(ad_op_name(backward.kind), e, gradient.value[e], (above - below) / (2 * h),
                         fabs(gradient.value[e]), 1e-8);
        }
        ad_free(dy.value);
        ad_free(gradient.value);
        clear(&a);
    }
}
END_TEST

START_TEST(activations) {
    static const pair pairs[] = {
        {AD_OP_AFFINE, 0, 3, AD_OP_AFFINE_BACK, {3, DY, 1, NONE, RESULT, NONE, -1, -1}},
        {AD_OP_AFFINE, 2, 3, AD_OP_AFFINE_BACK, {3, DY, NONE, NONE, NONE, RESULT, -1, -1}},
    };
    static const pair by_input = {AD_OP_AFFINE, 0, 3, AD_OP_AFFINE_BACK, {NONE, DY, 1, 0, RESULT, NONE, 1, -1}};
    for (int activation = 0; activation < AD_ACT_COUNT; activation++)
        for (size_t p = 0; p < (ad_act_by_output(activation) ? AD_COUNT(pairs) : 1); p++) {
            ad_op forward = make_op(AD_OP_AFFINE, geometry(1, 1, 0, 1)),
                  backward = make_op(AD_OP_AFFINE_BACK, forward.g);
            forward.i[0] = backward.i[0] = activation;
            forward.f[0] = backward.f[0] = 0.1f;
            backward.i[1] = 1;
            check_pair(ad_act_by_output(activation) ? &pairs[p] : &by_input, forward, backward,
                       40 + (uint64_t)activation);
        }
}
END_TEST

START_TEST(layer_norm) {
    static const pair input = {AD_OP_LAYER_NORM, 0, 3, AD_OP_LAYER_NORM_BACK, {0, 1, 4, DY, RESULT, -1, -1, -1}};
    ad_op forward = make_op(AD_OP_LAYER_NORM, geometry(1, 1, 0, 1)),
          backward = make_op(AD_OP_LAYER_NORM_BACK, forward.g), sums = make_op(AD_OP_LAYER_NORM_SUMS, forward.g);
    forward.f[0] = 1e-3f;
    check_pair(&input, forward, backward, 1);

    ad_random random = ad_random_make(2, AD_STREAM_CHECK, 0);
    arrays a = make_arrays(&forward, &random);
    ad_reference_role dy = make_role(a.role[3].stride, &random), both = make_role(2 * (size_t)forward.g.c, &random);
    weighted_output(&forward, &a, 3, &dy);
    run(sums, a.role[0], a.role[4], dy, both, absent, absent);
    for (int role = 1; role <= 2; role++) /* gamma, whose gradient is the second sum, and beta */
        for (size_t e = 0; e < a.role[role].count; e++) {
            const size_t c = (size_t)forward.g.c, at = e / c * 2 * c + (role == 1 ? c : 0) + e % c;
            double *v = &a.role[role].value[e];
            const double h = 1e-5, start = *v;
            *v = start + h;
            const double above = weighted_output(&forward, &a, 3, &dy);
            *v = start - h;
            const double below = weighted_output(&forward, &a, 3, &dy);
            *v = start;
            assert_close("layer-norm-sums", at, both.value[at], (above - below) / (2 * h), fabs(both.value[at]), 1e-7);
        }
    ad_free(dy.value);
    ad_free(both.value);
    clear(&a);
}
END_TEST

START_TEST(channel_scale) {
    static const pair pairs[] = {
        {AD_OP_CHANNEL_SCALE, 0, 2, AD_OP_CHANNEL_SCALE_BACK, {0, 1, DY, RESULT, NONE, -1, -1, -1}},
        {AD_OP_CHANNEL_SCALE, 1, 2, AD_OP_CHANNEL_SCALE_BACK, {0, 1, DY, NONE, RESULT, -1, -1, -1}},
    };
    for (size_t p = 0; p < AD_COUNT(pairs); p++) {
        const ad_geometry g = geometry(1, 1, 0, 1);
        check_pair(&pairs[p], make_op(AD_OP_CHANNEL_SCALE, g), make_op(AD_OP_CHANNEL_SCALE_BACK, g), p);
    }
}
END_TEST

START_TEST(pools) {
    static const pair pooling = {AD_OP_POOL, 0, 1, AD_OP_POOL_BACK, {0, DY, RESULT, -1, -1, -1, -1, -1}};
    const ad_geometry list[] = {geometry(2, 2, 0, 1), geometry(3, 2, 1, 1), geometry(3, 1, 1, 1), geometry(6, 6, 0, 1)};
    for (size_t s = 0; s < AD_COUNT(list); s++)
        for (int average = 0; average < 2; average++) {
            ad_op forward = make_op(AD_OP_POOL, list[s]), backward = make_op(AD_OP_POOL_BACK, list[s]);
            forward.i[0] = backward.i[0] = average;
            check_pair(&pooling, forward, backward, s);
        }
}
END_TEST

START_TEST(activations_with_pool) {
    static const pair pairs[] = {
        {AD_OP_AFFINE_POOL, 0, 3, AD_OP_AFFINE_POOL_BACK, {3, 4, DY, 1, NONE, RESULT, NONE, -1}},
        {AD_OP_AFFINE_POOL, 2, 3, AD_OP_AFFINE_POOL_BACK, {3, 4, DY, NONE, NONE, NONE, RESULT, -1}},
    };
    for (int activation = 0; activation <= AD_ACT_RELU6; activation++)
        for (int k = 1; k <= 3; k++)
            for (size_t p = 0; p < AD_COUNT(pairs); p++) {
                ad_op forward = make_op(AD_OP_AFFINE_POOL, geometry(k, k, 0, 1)),
                      backward = make_op(AD_OP_AFFINE_POOL_BACK, forward.g);
                forward.i[0] = backward.i[0] = activation;
                forward.f[0] = backward.f[0] = 0.1f;
                check_pair(&pairs[p], forward, backward, 60 + (uint64_t)activation);
            }
}
END_TEST

START_TEST(heads) {
    static const pair pairs[] = {
        {AD_OP_LINEAR, 0, 3, AD_OP_LINEAR_DX, {DY, 1, RESULT, -1, -1, -1, -1, -1}},
        {AD_OP_LINEAR, 1, 3, AD_OP_LINEAR_DW, {0, DY, RESULT, NONE, -1, -1, -1, -1}},
        {AD_OP_LINEAR, 2, 3, AD_OP_LINEAR_DW, {0, DY, NONE, RESULT, -1, -1, -1, -1}},
        {AD_OP_ROW_NORM, 0, 1, AD_OP_ROW_NORM_BACK, {1, 2, DY, RESULT, -1, -1, -1, -1}},
    };
    for (size_t p = 0; p < AD_COUNT(pairs); p++) {
        const ad_geometry g = {.n = 5, .c = 7, .o = 3};
        ad_op forward = make_op(pairs[p].forward, g), backward = make_op(pairs[p].backward, g);
        forward.f[0] = backward.f[0] = 1.5f;
        check_pair(&pairs[p], forward, backward, p);
    }
}
END_TEST

START_TEST(scaled_weights) {
    static const pair pairs[] = {
        {AD_OP_WEIGHT_SCALE, 0, 3, AD_OP_WEIGHT_SCALE_BACK, {0, 1, 2, DY, RESULT, NONE, -1, -1}},
        {AD_OP_WEIGHT_SCALE, 1, 3, AD_OP_WEIGHT_SCALE_BACK, {0, 1, 2, DY, NONE, RESULT, -1, -1}},
    };
    for (int axis = 0; axis < 2; axis++)
        for (size_t p = 0; p < AD_COUNT(pairs); p++) {
            ad_op forward = make_op(AD_OP_WEIGHT_SCALE, geometry(3, 1, 1, 1)),
                  backward = make_op(AD_OP_WEIGHT_SCALE_BACK, forward.g);
            forward.i[0] = backward.i[0] = axis;
            check_pair(&pairs[p], forward, backward, (uint64_t)axis);
        }
}
END_TEST

/* ---- chains ----------------------------------------------------------------------------------------------------- */
static void assert_same(const char *what, ad_reference_role a, ad_reference_role b) {
    double largest = 0;
    for (size_t e = 0; e < a.count; e++) largest = fmax(largest, fabs(b.value[e]));
    for (size_t e = 0; e < a.count; e++) assert_close(what, e, a.value[e], b.value[e], largest, 1e-12);
}

/* The one operation gives the same numbers as AFFINE and POOL after each other, and so do the gradients. Values are
 * rounded to halves, so that many windows have several maxima. */
START_TEST(activation_and_pool_in_one) {
    const ad_geometry g = geometry(2, 2, 0, 1);
    ad_random random = ad_random_make((uint64_t)_i, AD_STREAM_CHECK, 2);
    const size_t in = (size_t)(g.n * g.h * g.w * g.c), out = (size_t)(g.n * g.oh * g.ow * g.c), c = (size_t)g.c;
    ad_reference_role x = make_role(in, &random), coef = make_role(2 * c, &random), residual = make_role(in, &random);
    ad_reference_role full = make_role(in, &random), dfull = make_role(in, &random), dy = make_role(out, &random);
    ad_reference_role stats = make_role(2 * c, &random), back = make_role(3 * c, &random),
                      winner = make_role(out / 4, &random);
    ad_reference_role y[2], sums[2], dx[2], dresidual[2];
    for (int way = 0; way < 2; way++) {
        y[way] = make_role(out, &random);
        sums[way] = make_role(2 * c, &random);
        dx[way] = make_role(in, &random);
        dresidual[way] = make_role(in, &random);
    }
    const ad_reference_role rounded[] = {x, coef, residual};
    for (size_t r = 0; r < AD_COUNT(rounded); r++)
        for (size_t e = 0; e < rounded[r].count; e++) rounded[r].value[e] = round(2 * rounded[r].value[e]) / 2;
    ad_op op[7];
    static const int kinds[] = {AD_OP_AFFINE,      AD_OP_POOL,        AD_OP_POOL_BACK,       AD_OP_AFFINE_SUMS,
                                AD_OP_AFFINE_BACK, AD_OP_AFFINE_POOL, AD_OP_AFFINE_POOL_SUMS};
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        op[k] = make_op(kinds[k], g);
        if (kinds[k] != AD_OP_POOL && kinds[k] != AD_OP_POOL_BACK) {
            op[k].i[0] = _i;
            op[k].f[0] = 0.5f;
        }
    }
    ad_op pool_back = op[6];
    pool_back.kind = AD_OP_AFFINE_POOL_BACK;
    const ad_reference_role affine_back[] = {full, dfull, back, x, dx[0], dresidual[0]};
    ad_reference_role chain[AD_OP_TENSORS] = {0},
                      fused[AD_OP_TENSORS] = {y[1], winner, dy, back, x, dx[1], dresidual[1]};
    memcpy(chain, affine_back, sizeof affine_back);
    run(op[0], x, coef, residual, full, absent, absent);
    run(op[1], full, y[0], absent, absent, absent, absent);
    run(op[2], full, dy, dfull, absent, absent, absent);
    run(op[3], x, full, dfull, stats, sums[0], absent);
    ad_reference_run(&op[4], chain);
    run(op[5], x, coef, residual, y[1], winner, absent);
    run(op[6], x, y[1], winner, dy, stats, sums[1]);
    ad_reference_run(&pool_back, fused);
    assert_same("y", y[1], y[0]);
    assert_same("sums", sums[1], sums[0]);
    assert_same("dx", dx[1], dx[0]);
    assert_same("dresidual", dresidual[1], dresidual[0]);
    const ad_reference_role all[] = {x,    coef, residual, full,    dfull, dy,    stats,        back,        winner,
                                     y[0], y[1], sums[0],  sums[1], dx[0], dx[1], dresidual[0], dresidual[1]};
    for (size_t r = 0; r < AD_COUNT(all); r++) ad_free(all[r].value);
}
END_TEST

/* features -> class means -> the head made of them, with a scale, some features being of no class. */
typedef struct means {
    ad_geometry g;
    ad_reference_role x, labels, mean, scale, w, bias, dw, dbias;
} means;

static ad_op means_op(const means *m, int kind) {
    ad_op op = make_op(kind, m->g);
    op.f[0] = 1.5f;
    return op;
}

static double means_loss(const means *m) {
    double loss = 0;
    run(means_op(m, AD_OP_CLASS_MEAN), m->x, m->labels, m->mean, absent, absent, absent);
    run(means_op(m, AD_OP_MEAN_HEAD), m->mean, m->w, m->bias, m->scale, absent, absent);
    for (size_t e = 0; e < m->w.count; e++) loss += m->dw.value[e] * m->w.value[e];
    for (size_t e = 0; e < m->bias.count; e++) loss += m->dbias.value[e] * m->bias.value[e];
    return loss;
}

START_TEST(class_means) {
    ad_random random = ad_random_make(7, AD_STREAM_CHECK, 0);
    means m = {.g = {.n = 8, .c = 5, .o = 3}};
    const size_t rows = 40, weights = 15, ways = 3;
    m.x = make_role(rows, &random);
    m.labels = make_role(8, &random);
    m.labels.stride = 0; /* addressed as a whole */
    for (size_t e = 0; e < m.labels.count; e++) m.labels.value[e] = (int)ad_random_below(&random, 5) - 1;
    ad_reference_role *const whole[] = {&m.mean, &m.w, &m.dw};
    for (size_t r = 0; r < AD_COUNT(whole); r++) *whole[r] = make_role(weights, &random);
    m.scale = make_role(1, &random);
    m.bias = make_role(ways, &random);
    m.dbias = make_role(ways, &random);
    ad_reference_role dmean = make_role(weights, &random), dscale = make_role(1, &random),
                      dx = make_role(rows, &random);

    means_loss(&m);
    run(means_op(&m, AD_OP_MEAN_HEAD_BACK), m.mean, m.dw, m.dbias, m.scale, dmean, dscale);
    run(means_op(&m, AD_OP_CLASS_MEAN_BACK), dmean, m.labels, dx, absent, absent, absent);
    const struct {
        const char *name;
        const ad_reference_role *operand, *gradient;
    } checks[] = {{"dx", &m.x, &dx}, {"dscale", &m.scale, &dscale}};
    for (size_t k = 0; k < AD_COUNT(checks); k++)
        for (size_t e = 0; e < checks[k].operand->count; e++) {
            const double h = 1e-5, start = checks[k].operand->value[e];
            checks[k].operand->value[e] = start + h;
            const double above = means_loss(&m);
            checks[k].operand->value[e] = start - h;
            const double below = means_loss(&m);
            checks[k].operand->value[e] = start;
            assert_close(checks[k].name, e, checks[k].gradient->value[e], (above - below) / (2 * h), 1, 1e-7);
        }
    ad_reference_role *const all[] = {&m.x,  &m.labels, &m.mean, &m.scale, &m.w, &m.bias,
                                      &m.dw, &m.dbias,  &dmean,  &dscale,  &dx};
    for (size_t r = 0; r < AD_COUNT(all); r++) ad_free(all[r]->value);
}
END_TEST

/* stats -> fold -> affine -> leaky; all of it depends on x where the statistics are the batch's. */
typedef struct norm {
    ad_geometry g;
    bool batch;
    ad_reference_role x, gamma, beta, stats, coef, residual, y, dy;
} norm;

static ad_op norm_op(const norm *b, int kind, int integer, float number) {
    ad_op op = make_op(kind, b->g);
    op.i[0] = integer;
    op.f[0] = number;
    return op;
}

static double norm_loss(const norm *b) {
    if (b->batch) run(norm_op(b, AD_OP_BN_STATS, 0, 0), b->x, b->stats, absent, absent, absent, absent);
    run(norm_op(b, AD_OP_BN_FOLD, 0, 1e-3f), b->stats, b->gamma, b->beta, b->coef, absent, absent);
    run(norm_op(b, AD_OP_AFFINE, 2, 0.1f), b->x, b->coef, b->residual, b->y, absent, absent);
    double loss = 0;
    for (size_t e = 0; e < b->dy.count; e++) loss += b->dy.value[e] * b->y.value[e];
    return loss;
}

START_TEST(batch_norm) {
    ad_random random = ad_random_make(5, AD_STREAM_CHECK, 0);
    norm b = {.g = {.n = 3, .h = 3, .w = 2, .c = 4}, .batch = _i};
    const size_t count = 72, channels = 4;
    ad_reference_role *const whole[] = {&b.x, &b.residual, &b.y, &b.dy};
    for (size_t r = 0; r < AD_COUNT(whole); r++) *whole[r] = make_role(count, &random);
    b.gamma = make_role(channels, &random);
    b.beta = make_role(channels, &random);
    b.stats = make_role(2 * channels, &random);
    b.coef = make_role(2 * channels, &random);
    for (size_t e = 0; e < b.stats.count; e++) b.stats.value[e] = fabs(b.stats.value[e]) + 0.1;
    ad_reference_role sums = make_role(2 * channels, &random), dgamma = make_role(channels, &random),
                      dbeta = make_role(channels, &random);
    ad_reference_role back = make_role(3 * channels, &random), dx = make_role(count, &random),
                      dresidual = make_role(count, &random);

    norm_loss(&b);
    run(norm_op(&b, AD_OP_AFFINE_SUMS, 2, 0.1f), b.x, b.y, b.dy, b.stats, sums, absent);
    run(norm_op(&b, AD_OP_BN_BACK, b.batch, 1e-3f), sums, b.stats, b.gamma, dgamma, dbeta, back);
    run(norm_op(&b, AD_OP_AFFINE_BACK, 2, 0.1f), b.y, b.dy, back, b.x, dx, dresidual);
    const struct {
        const char *name;
        const ad_reference_role *operand, *gradient;
    } checks[] = {{"dx", &b.x, &dx},
                  {"dgamma", &b.gamma, &dgamma},
                  {"dbeta", &b.beta, &dbeta},
                  {"dresidual", &b.residual, &dresidual}};
    for (size_t k = 0; k < AD_COUNT(checks); k++)
        for (size_t e = 0; e < checks[k].operand->count; e++) {
            const double h = 1e-5, start = checks[k].operand->value[e];
            checks[k].operand->value[e] = start + h;
            const double above = norm_loss(&b);
            checks[k].operand->value[e] = start - h;
            const double below = norm_loss(&b);
            checks[k].operand->value[e] = start;
            assert_close(checks[k].name, e, checks[k].gradient->value[e], (above - below) / (2 * h), 1, 1e-7);
        }
    ad_reference_role *const all[] = {&b.x,    &b.residual, &b.y,    &b.dy,  &b.gamma, &b.beta, &b.stats,
                                      &b.coef, &sums,       &dgamma, &dbeta, &back,    &dx,     &dresidual};
    for (size_t r = 0; r < AD_COUNT(all); r++) ad_free(all[r]->value);
}
END_TEST

/* One decomposed convolution: results of one way of computing it. */
typedef struct results {
    ad_reference_role y, dx, dpsi, dalpha;
} results;

static size_t atoms_count(ad_geometry g) {
    return (size_t)(g.m * g.k * g.k) * (g.group ? (size_t)(g.c / g.group * (g.o / g.group)) : 1);
}
static size_t coefficients_count(ad_geometry g) {
    return (size_t)(g.group ? g.group * g.m * g.group : g.c * g.m * g.o);
}

static results make_results(ad_geometry g, ad_random *random) {
    const size_t in = (size_t)(g.n * g.h * g.w), out = (size_t)(g.n * g.oh * g.ow);
    return (results){make_role(out * (size_t)g.o, random), make_role(in * (size_t)g.c, random),
                     make_role(atoms_count(g), random), make_role(coefficients_count(g), random)};
}

static ad_op own_size(int kind, ad_geometry g) {
    ad_op op = make_op(kind, g);
    op.i[0] = g.group ? g.group : g.o;
    op.i[1] = g.group ? g.group : g.c;
    return op;
}

/* k = 1, from c channels to o, of images h x w. */
static ad_geometry product(int n, int h, int w, int c, int o) {
    return (ad_geometry){.n = n, .h = h, .w = w, .oh = h, .ow = w, .c = c, .o = o, .k = 1, .stride = 1, .dil = 1};
}

/* The product of atoms-first, with groups of sum-first: a row for each group of outputs. */
static ad_geometry second_stage(ad_geometry g) {
    return g.group ? product(g.n, g.oh, g.ow * (g.o / g.group), g.group * g.m, g.group)
                   : product(g.n, g.oh, g.ow, g.c * g.m, g.o);
}

static void composed(ad_geometry g, const arrays *a, const results *r, ad_random *random) {
    const ad_reference_role x = a->role[0], alpha = a->role[1], psi = a->role[2], bias = a->role[3], dy = a->role[4];
    ad_reference_role w = make_role((size_t)(g.k * g.k * g.c * g.o), random), dw = make_role(w.stride, random);
    run(own_size(AD_OP_COMPOSE, g), alpha, psi, absent, w, absent, absent);
    run(make_op(AD_OP_CONV, g), x, w, g.group ? absent : bias, r->y, absent, absent);
    run(make_op(AD_OP_CONV_DX, g), dy, w, r->dx, absent, absent, absent);
    run(make_op(AD_OP_CONV_DW, g), x, dy, dw, absent, absent, absent);
    run(own_size(AD_OP_COMPOSE_DPSI, g), dw, alpha, r->dpsi, absent, absent, absent);
    run(own_size(AD_OP_COMPOSE_DALPHA, g), dw, psi, r->dalpha, absent, absent, absent);
    ad_free(w.value);
    ad_free(dw.value);
}

static void coefficients_first(ad_geometry g, const arrays *a, const results *r, ad_random *random) {
    const ad_reference_role x = a->role[0], alpha = a->role[1], psi = a->role[2], bias = a->role[3], dy = a->role[4];
    const ad_geometry one = product(g.n, g.h, g.w, g.c, g.m * g.o);
    ad_reference_role packed = make_role(alpha.stride, random);
    ad_reference_role u = make_role((size_t)(g.n * g.h * g.w * g.m * g.o), random), du = make_role(u.stride, random);
    run(own_size(AD_OP_PACK, g), alpha, absent, packed, absent, absent, absent);
    run(make_op(AD_OP_CONV, one), x, packed, absent, u, absent, absent);
    run(make_op(AD_OP_ATOMS, g), u, psi, bias, r->y, absent, absent);
    run(make_op(AD_OP_ATOMS_DU, g), dy, psi, du, absent, absent, absent);
    run(make_op(AD_OP_ATOMS_DPSI, g), u, dy, r->dpsi, absent, absent, absent);
    run(make_op(AD_OP_CONV_DX, one), du, packed, r->dx, absent, absent, absent);
    run(make_op(AD_OP_CONV_DW, one), x, du, r->dalpha, absent, absent, absent);
    ad_free(packed.value);
    ad_free(u.value);
    ad_free(du.value);
}

static void atoms_first(ad_geometry g, const arrays *a, const results *r, ad_random *random) {
    const ad_reference_role x = a->role[0], alpha = a->role[1], psi = a->role[2], bias = a->role[3], dy = a->role[4];
    const ad_geometry one = second_stage(g);
    ad_reference_role z = make_role((size_t)(one.n * one.h * one.w * one.c), random), dz = make_role(z.stride, random);
    run(make_op(AD_OP_DEPTH, g), x, psi, z, absent, absent, absent);
    run(make_op(AD_OP_CONV, one), z, alpha, g.group ? absent : bias, r->y, absent, absent);
    run(make_op(AD_OP_CONV_DX, one), dy, alpha, dz, absent, absent, absent);
    run(make_op(AD_OP_DEPTH_DPSI, g), x, dz, r->dpsi, absent, absent, absent);
    run(make_op(AD_OP_DEPTH_DX, g), dz, psi, r->dx, absent, absent, absent);
    run(make_op(AD_OP_CONV_DW, one), z, dy, r->dalpha, absent, absent, absent);
    ad_free(z.value);
    ad_free(dz.value);
}

/* The atoms' gradient is that of another way: this one keeps nothing of the forward pass. */
static void fused(ad_geometry g, const arrays *a, const results *r, ad_random *random) {
    const ad_reference_role x = a->role[0], alpha = a->role[1], psi = a->role[2], bias = a->role[3], dy = a->role[4];
    atoms_first(g, a, r, random);
    run(make_op(AD_OP_FUSED_ATOMS, g), x, alpha, psi, bias, r->y, absent);
    run(make_op(AD_OP_FUSED_ATOMS_DX, g), dy, alpha, psi, r->dx, absent, absent);
}

/* Coefficients-first and both stages in one are not for groups, whose biases are not part of the product. */
START_TEST(ways_of_a_decomposed_convolution_agree) {
    const bool groups = _i;
    size_t count = 0;
    const ad_geometry *list = geometries(&count);
    for (size_t s = 0; s < count; s++) {
        const ad_geometry g = groups ? in_groups(list[s]) : list[s];
        ad_random random = ad_random_make(s, AD_STREAM_CHECK, 1);
        arrays a = {0};
        const size_t sizes[] = {(size_t)(g.n * g.h * g.w * g.c), coefficients_count(g), atoms_count(g), (size_t)g.o,
                                (size_t)(g.n * g.oh * g.ow * g.o)};
        for (size_t r = 0; r < AD_COUNT(sizes); r++) a.role[r] = make_role(sizes[r], &random);
        results ways[4];
        static void (*const compute[4])(ad_geometry, const arrays *, const results *,
                                        ad_random *) = {composed, atoms_first, coefficients_first, fused};
        const int way_count = groups ? 2 : 4;
        for (int way = 0; way < way_count; way++) {
            ways[way] = make_results(g, &random);
            compute[way](g, &a, &ways[way], &random);
            assert_same("y", ways[way].y, ways[0].y);
            assert_same("dx", ways[way].dx, ways[0].dx);
            assert_same("dpsi", ways[way].dpsi, ways[0].dpsi);
            assert_same("dalpha", ways[way].dalpha, ways[0].dalpha);
        }
        for (int way = 0; way < way_count; way++) {
            const ad_reference_role all[] = {ways[way].y, ways[way].dx, ways[way].dpsi, ways[way].dalpha};
            for (size_t r = 0; r < AD_COUNT(all); r++) ad_free(all[r].value);
        }
        clear(&a);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("gradient");
    TCase *tests = tcase_create("all");
    tcase_add_loop_test(tests, convolutions, 0, 12);
    tcase_add_test(tests, compositions);
    tcase_add_test(tests, activations);
    tcase_add_test(tests, activations_with_pool);
    tcase_add_loop_test(tests, activation_and_pool_in_one, 0, 4);
    tcase_add_test(tests, layer_norm);
    tcase_add_test(tests, channel_scale);
    tcase_add_test(tests, pools);
    tcase_add_test(tests, heads);
    tcase_add_test(tests, scaled_weights);
    tcase_add_test(tests, class_means);
    tcase_add_loop_test(tests, batch_norm, 0, 2);
    tcase_add_loop_test(tests, ways_of_a_decomposed_convolution_agree, 0, 2);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
