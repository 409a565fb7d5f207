/* Chains: the CPU engine gives the same bytes with them as operation by operation, and a plan chains what it may. */
#include "cpu/cpu.h"
#include "plan/activation.h"
#include "plan/plan.h"
#include "tests/run_suite.h"

#include <stdlib.h>
#include <string.h>

static adatom_context *ctx;

static void setup(void) { OK(adatom_context_create(NULL, &ctx)); }
static void teardown(void) { adatom_context_destroy(&ctx); }

/* A layer of a chain; o 0: depthwise, else a convolution to so many channels. */
typedef struct layer {
    int o, k, stride, pad, dil, oh, ow, act;
    bool norm, residual; /* residual: the chain's input is added */
} layer;

typedef struct setting {
    const char *name;
    int h, w, c, count;
    layer layers[AD_CHAIN_MOST];
} setting;

/* Images of which a buffer has a part only, but for the small ones. */
static const setting settings[] = {
    {"inverted residual",
     37,
     133,
     8,
     3,
     {{24, 1, 1, 0, 1, 37, 133, AD_ACT_RELU6, true, false},
      {0, 3, 1, 1, 1, 37, 133, AD_ACT_RELU6, true, false},
      {8, 1, 1, 0, 1, 37, 133, AD_ACT_NONE, true, true}}},
    {"stem and all behind it",
     138,
     118,
     4,
     6,
     {{32, 3, 2, 0, 1, 69, 59, AD_ACT_RELU6, true, false}, /* TensorFlow's SAME: one row and column at the end */
      {0, 5, 1, 2, 1, 69, 59, AD_ACT_SILU, true, false},
      {20, 1, 1, 0, 1, 69, 59, AD_ACT_NONE, true, false},
      {40, 1, 1, 0, 1, 69, 59, AD_ACT_HARD_SWISH, false, false},
      {0, 3, 2, 1, 1, 35, 30, AD_ACT_LEAKY, true, false},
      {12, 1, 1, 0, 1, 35, 30, AD_ACT_NONE, false, false}}},
    {"strides that skip rows",
     121,
     239,
     32,
     3,
     {{0, 2, 2, 0, 1, 60, 119, AD_ACT_NONE, false, false},
      {36, 1, 2, 0, 1, 30, 60, AD_ACT_RELU, true, false},
      {0, 2, 1, 1, 1, 31, 61, AD_ACT_NONE, true, false}}},
    {"small",
     17,
     13,
     8,
     3,
     {{24, 1, 1, 0, 1, 17, 13, AD_ACT_RELU6, true, false},
      {0, 3, 1, 1, 1, 17, 13, AD_ACT_RELU6, true, false},
      {8, 1, 1, 0, 1, 17, 13, AD_ACT_NONE, true, true}}},
    {"mostly padding",
     3,
     5,
     16,
     2,
     {{0, 7, 1, 3, 1, 3, 5, AD_ACT_GELU, true, false}, {0, 5, 1, 4, 2, 3, 5, AD_ACT_NONE, true, true}}},
    {"dilation",
     41,
     90,
     32,
     3,
     {{36, 1, 1, 0, 1, 41, 90, AD_ACT_RELU, true, false},
      {0, 3, 1, 3, 3, 41, 90, AD_ACT_NONE, true, false},
      {0, 3, 2, 2, 2, 21, 45, AD_ACT_NONE, true, false}}},
    {"the longest, of rows wider than a buffer",
     11,
     320,
     64,
     8,
     {{0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {48, 1, 1, 0, 1, 11, 80, AD_ACT_RELU, false, false},
      {0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {0, 3, 1, 1, 1, 11, 80, AD_ACT_RELU, false, false},
      {64, 1, 1, 0, 1, 11, 80, AD_ACT_RELU, false, true}}},
};

enum { SMALL = 3, LONGEST = 6 }; /* settings */
enum { X, W, BIAS, Y, COEF, RESIDUAL };

typedef struct made {
    ad_plan *plan;
    int result;
    size_t outputs; /* of a task */
} made;

enum { SHARED, OWN, BY_TASK };

/* Operations of a setting, n pictures a task. own: each task has weights of its own, and, BY_TASK, a thread. Work lies
 * by liveness. */
static made make(const setting *s, int tasks, int n, int own, uint16_t flags) {
    made m = {.plan = ad_plan_create(ctx, tasks)};
    m.plan->lanes = own == BY_TASK ? tasks : 0;
    const int host = ad_plan_arena(ctx, m.plan, false), work = ad_plan_arena(ctx, m.plan, false);
    ad_geometry g = {.n = n, .h = s->h, .w = s->w, .c = s->c};
    const size_t inputs = (size_t)(n * s->h * s->w * s->c);
    int x = ad_plan_tensor(ctx, m.plan, "x", AD_F32, host, inputs, true);
    const int first = x;
    for (int i = 0; i < s->count; i++) {
        const layer *l = &s->layers[i];
        ad_op *op = ad_plan_op(ctx, m.plan, AD_SEGMENT_EVAL, l->o ? AD_OP_CONV : AD_OP_DEPTHWISE);
        g.oh = l->oh;
        g.ow = l->ow;
        g.o = l->o ? l->o : g.c;
        g.k = l->k;
        g.stride = l->stride;
        g.pad = l->pad;
        g.dil = l->dil;
        op->g = g;
        op->tasks = (int16_t)tasks;
        op->i[0] = l->act;
        op->f[0] = l->act == AD_ACT_LEAKY ? 0.1f : 0;
        op->flags = i ? flags : 0;
        op->t[X] = (int16_t)x;
        op->t[W] = (int16_t)ad_plan_tensor(ctx, m.plan, "w", AD_F32, host, ad_op_elements(op, W), own);
        op->t[BIAS] = (int16_t)ad_plan_tensor(ctx, m.plan, "bias", AD_F32, host, (size_t)g.o, own);
        if (l->norm) op->t[COEF] = (int16_t)ad_plan_tensor(ctx, m.plan, "coef", AD_F32, host, 2 * (size_t)g.o, own);
        if (l->residual) op->t[RESIDUAL] = (int16_t)first;
        m.outputs = ad_op_elements(op, Y);
        const int y = ad_plan_tensor(ctx, m.plan, "y", AD_F32, i == s->count - 1 ? host : work, m.outputs, true);
        op->t[Y] = (int16_t)y;
        x = m.result = y;
        g.h = g.oh;
        g.w = g.ow;
        g.c = g.o;
    }
    OK(ad_plan_place(ctx, m.plan, work));
    return m;
}

static float number(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 16) / 32768 - 1;
}

/* The result of all tasks by so many threads; free(). */
static float *run(const made *m, int threads) {
    ad_engine *engine = NULL;
    ad_program *program = NULL;
    OK(ad_cpu_engine_create(ctx, threads, &engine));
    OK(engine->api->program_create(engine, m->plan, NULL, &program));
    uint32_t state = 1;
    for (int t = 0; t < m->plan->tensor_count; t++) {
        const ad_tensor *tensor = &m->plan->tensors[t];
        if (tensor->arena != 0 || t == m->result) continue;
        for (int task = 0; task < (tensor->stride ? m->plan->tasks : 1); task++) {
            float *values = malloc(tensor->count * sizeof *values);
            for (size_t e = 0; e < tensor->count; e++) values[e] = number(&state);
            OK(engine->api->program_write(program, t, (size_t)task * tensor->stride * sizeof *values, values,
                                          tensor->count * sizeof *values));
            free(values);
        }
    }
    float *result = malloc((size_t)m->plan->tasks * m->outputs * sizeof *result);
    for (int again = 0; again < 2; again++) OK(ad_run_segment(engine->api, program, AD_SEGMENT_EVAL, 1));
    for (int task = 0; task < m->plan->tasks; task++)
        OK(engine->api->program_read(program, m->result,
                                     (size_t)task * m->plan->tensors[m->result].stride * sizeof *result,
                                     result + (size_t)task * m->outputs, m->outputs * sizeof *result));
    engine->api->program_destroy(&program);
    engine->api->destroy(engine);
    return result;
}

START_TEST(same_bytes) {
    const setting *s = &settings[_i];
    for (int tasks = 1; tasks <= 2; tasks++)
        for (int n = 1; n <= 3; n += 2)
            for (int own = 0; own <= (tasks > 1 ? BY_TASK : SHARED); own++) {
                made apart = make(s, tasks, n, own, 0), chained = make(s, tasks, n, own, AD_CHAINED);
                const size_t count = (size_t)tasks * apart.outputs;
                float *want = run(&apart, 2);
                for (int threads = 1; threads <= 3; threads++) {
                    float *got = run(&chained, threads);
                    for (size_t e = 0; e < count; e++) /* an assertion of each would take most of the time */
                        if (got[e] != want[e])
                            ck_abort_msg("%s, %d tasks of %d, %d threads: [%zu] is %g, not %g", s->name, tasks, n,
                                         threads, e, (double)got[e], (double)want[e]);
                    free(got);
                }
                free(want);
                ad_plan_destroy(&apart.plan);
                ad_plan_destroy(&chained.plan);
            }
}
END_TEST

/* What lies between operations of a chain is never made as a whole: this is how one knows that it is run as one. */
START_TEST(not_written) {
    made m = make(&settings[SMALL], 1, 1, SHARED, AD_CHAINED);
    ad_engine *engine = NULL;
    ad_program *program = NULL;
    const int between = m.plan->ops[0].t[Y];
    float value = 12345;
    OK(ad_cpu_engine_create(ctx, 2, &engine));
    ck_assert(engine->chains);
    OK(engine->api->program_create(engine, m.plan, NULL, &program));
    OK(engine->api->program_write(program, between, 0, &value, sizeof value));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_EVAL, 1));
    OK(engine->api->program_read(program, between, 0, &value, sizeof value));
    ck_assert(value == 12345);
    OK(engine->api->program_profile(program, true)); /* which times every operation */
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_EVAL, 1));
    OK(engine->api->program_read(program, between, 0, &value, sizeof value));
    ck_assert(value != 12345);
    engine->api->program_destroy(&program);
    engine->api->destroy(engine);
    ad_plan_destroy(&m.plan);
}
END_TEST

static const setting large = {"large",
                              56,
                              56,
                              24,
                              3,
                              {{144, 1, 1, 0, 1, 56, 56, AD_ACT_RELU6, true, false},
                               {0, 3, 1, 1, 1, 56, 56, AD_ACT_RELU6, true, false},
                               {24, 1, 1, 0, 1, 56, 56, AD_ACT_NONE, true, true}}};

/* A plan chains operations with large images between them, and composes their kernels before. */
START_TEST(chosen) {
    made m = make(&large, 1, 1, SHARED, 0);
    ad_plan *plan = m.plan;
    const ad_op ops[3] = {plan->ops[0], plan->ops[1], plan->ops[2]};
    ad_op *added = ad_plan_op(ctx, plan, AD_SEGMENT_EVAL, AD_OP_COMPOSE); /* after the first */
    const ad_op compose = {.kind = AD_OP_COMPOSE,
                           .tasks = 1,
                           .g = {.c = 1, .o = 144, .k = 3, .m = 9},
                           .t = {-1, -1, -1, ops[1].t[W], -1, -1, -1, -1}};
    added = &plan->ops[0];
    added[1] = compose;
    added[2] = ops[1];
    added[3] = ops[2];
    ad_plan_chain(plan);
    ck_assert_int_eq(plan->ops[0].kind, AD_OP_COMPOSE);
    ck_assert_int_eq(plan->ops[1].flags, 0);
    ck_assert_int_eq(plan->ops[2].flags, AD_CHAINED);
    ck_assert_int_eq(plan->ops[3].flags, AD_CHAINED);
    ck_assert_int_eq(ad_plan_chain_length(plan, 0), 1);
    ck_assert_int_eq(ad_plan_chain_length(plan, 1), 3);
    ad_plan_destroy(&m.plan);

    m = make(&settings[SMALL], 1, 1, SHARED, 0); /* small images */
    ad_plan_chain(m.plan);
    ck_assert_int_eq(ad_plan_chain_length(m.plan, 0), 1);
    ad_plan_destroy(&m.plan);

    m = make(&large, 1, 1, SHARED, 0); /* the first one's y is needed once more */
    m.plan->ops[2].t[RESIDUAL] = m.plan->ops[0].t[Y];
    m.plan->ops[2].g.o = 144;
    ad_plan_chain(m.plan);
    ck_assert_int_eq(ad_plan_chain_length(m.plan, 0), 1);
    ck_assert_int_eq(ad_plan_chain_length(m.plan, 1), 2);
    ad_plan_destroy(&m.plan);
}
END_TEST

static void refused(const ad_plan *plan, const char *what) {
    ck_assert_int_eq(ad_plan_validate(ctx, plan), ADATOM_USAGE);
    ck_assert_msg(strstr(adatom_context_message(ctx), what), "'%s' lacks '%s'", adatom_context_message(ctx), what);
}

START_TEST(wrong_chains) {
    made m = make(&settings[SMALL], 1, 1, SHARED, AD_CHAINED);
    ad_op *ops = m.plan->ops;
    OK(ad_plan_validate(ctx, m.plan));
    ops[0].flags = AD_CHAINED; /* to nothing */
    refused(m.plan, "operation 0 (conv) cannot be chained");
    ops[0].flags = 0;
    ops[2].t[RESIDUAL] = ops[1].t[Y]; /* which is gone by then */
    ops[2].g.o = 24;
    ck_assert_int_eq(ad_plan_validate(ctx, m.plan), ADATOM_USAGE);
    ad_plan_destroy(&m.plan);

    m = make(&settings[SMALL], 1, 1, SHARED, AD_CHAINED);
    ad_tensor *result = &m.plan->tensors[m.result], *input = &m.plan->tensors[m.plan->ops[0].t[X]];
    m.plan->ops[2].t[RESIDUAL] = -1;
    OK(ad_plan_validate(ctx, m.plan));
    result->offset = input->offset; /* by turns that would overwrite what is still to be read */
    refused(m.plan, "operation 0 (conv) cannot begin such a chain");
    ad_plan_destroy(&m.plan);

    m = make(&settings[LONGEST], 1, 1, SHARED, AD_CHAINED); /* one more than there may be */
    ad_op *op = ad_plan_op(ctx, m.plan, AD_SEGMENT_EVAL, AD_OP_CONV), *last = &m.plan->ops[7];
    *op = *last;
    op->t[X] = last->t[Y];
    op->t[RESIDUAL] = -1;
    op->t[Y] = (int16_t)ad_plan_tensor(ctx, m.plan, "y", AD_F32, 0, m.outputs, true);
    refused(m.plan, "operation 0 (depthwise) cannot begin such a chain");
    op->flags = 0;
    OK(ad_plan_validate(ctx, m.plan));
    ad_plan_destroy(&m.plan);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("chain");
    TCase *tests = tcase_create("chains");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, same_bytes, 0, (int)AD_COUNT(settings));
    tcase_add_test(tests, not_written);
    tcase_add_test(tests, chosen);
    tcase_add_test(tests, wrong_chains);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
