/* What convolutions of the CPU engine keep of their weights is made anew when the weights change, whoever writes them.
 */
#include "cpu/cpu.h"
#include "plan/plan.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <stdlib.h>
#include <string.h>

static adatom_context *ctx;
static ad_engine *engine;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    OK(ad_cpu_engine_create(ctx, 2, &engine));
}

static void teardown(void) {
    engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
}

/* Packed as a whole, by panels where there is much weight and little to read, and transformed. */
static const ad_geometry geometries[] = {
    {.n = 2, .h = 9, .w = 8, .c = 32, .oh = 9, .ow = 8, .o = 80, .k = 1, .stride = 1, .dil = 1},
    {.n = 1, .h = 3, .w = 3, .c = 512, .oh = 3, .ow = 3, .o = 256, .k = 1, .stride = 1, .dil = 1},
    {.n = 2, .h = 9, .w = 8, .c = 32, .oh = 9, .ow = 8, .o = 80, .k = 3, .stride = 1, .pad = 1, .dil = 1},
};

typedef struct convolution {
    ad_program *program;
    int x, w, y;
    size_t inputs, weights, outputs;
} convolution;

/* A convolution without a program, and its plan. */
static convolution plan_of(const ad_geometry *g, uint16_t flags, ad_plan **out) {
    convolution c = {0};
    ad_plan *plan = *out = ad_plan_create(ctx, 1);
    const int outside = ad_plan_arena(ctx, plan, true), arena = ad_plan_arena(ctx, plan, false);
    ad_op op = {.kind = AD_OP_CONV, .g = *g, .tasks = 1};
    memset(op.t, -1, sizeof op.t);
    c.inputs = ad_op_elements(&op, 0);
    c.weights = ad_op_elements(&op, 1);
    c.outputs = ad_op_elements(&op, 3);
    c.w = ad_plan_tensor(ctx, plan, "w", AD_F32, outside, c.weights, false);
    c.x = ad_plan_tensor(ctx, plan, "x", AD_F32, arena, c.inputs, false);
    c.y = ad_plan_tensor(ctx, plan, "y", AD_F32, arena, c.outputs, false);
    ad_op *conv = ad_plan_op(ctx, plan, AD_SEGMENT_EVAL, AD_OP_CONV);
    conv->g = *g;
    conv->flags = flags;
    conv->t[0] = (int16_t)c.x;
    conv->t[1] = (int16_t)c.w;
    conv->t[3] = (int16_t)c.y;
    return c;
}

static void write_inputs(const convolution *c) {
    float *x = malloc(c->inputs * sizeof *x);
    for (size_t e = 0; e < c->inputs; e++) x[e] = (float)(e * 7 % 13) - 6;
    OK(engine->api->program_write(c->program, c->x, 0, x, c->inputs * sizeof *x));
    free(x);
}

static convolution make(const ad_geometry *g, uint16_t flags, ad_buffer *buffer) {
    ad_plan *plan = NULL;
    convolution c = plan_of(g, flags, &plan);
    OK(engine->api->program_create(engine, plan, (ad_buffer *[]){buffer, NULL}, &c.program));
    ad_plan_destroy(&plan);
    write_inputs(&c);
    return c;
}

/* The results of a run; free(). */
static float *result(const convolution *c) {
    float *y = malloc(c->outputs * sizeof *y);
    OK(ad_run_segment(engine->api, c->program, AD_SEGMENT_EVAL, 1));
    OK(engine->api->program_read(c->program, c->y, 0, y, c->outputs * sizeof *y));
    return y;
}

/* The running program gives what one gives that has never seen other weights. */
static void as_new(const convolution *c, const ad_geometry *g, ad_buffer *buffer, const char *what) {
    convolution fresh = make(g, AD_FAST, buffer);
    float *got = result(c), *again = result(c), *want = result(&fresh);
    ck_assert_msg(!memcmp(got, want, c->outputs * sizeof *got), "%s: other results than with fresh weights", what);
    ck_assert_msg(!memcmp(again, want, c->outputs * sizeof *got), "%s: the next run differs", what);
    free(got);
    free(again);
    free(want);
    engine->api->program_destroy(&fresh.program);
}

/* Sets all weights by an operation of another program. */
static void fill(ad_buffer *buffer, size_t count, float value) {
    ad_program *program = NULL;
    ad_plan *plan = ad_plan_create(ctx, 1);
    const int w = ad_plan_tensor(ctx, plan, "w", AD_F32, ad_plan_arena(ctx, plan, true), count, false);
    ad_op *op = ad_plan_op(ctx, plan, AD_SEGMENT_INIT, AD_OP_FILL);
    op->t[0] = (int16_t)w;
    op->g.c = (int32_t)count;
    op->f[0] = value;
    OK(engine->api->program_create(engine, plan, &buffer, &program));
    OK(ad_run_segment(engine->api, program, AD_SEGMENT_INIT, 1));
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
}

START_TEST(weights_change) {
    const ad_geometry *g = &geometries[_i];
    const size_t count = (size_t)g->c * (size_t)g->o * (size_t)g->k * (size_t)g->k;
    float *w = malloc(count * sizeof *w);
    ad_buffer *buffer = NULL;
    OK(engine->api->buffer_create(engine, count * sizeof *w, &buffer));
    for (size_t e = 0; e < count; e++) w[e] = (float)(e % 5) - 2;
    OK(engine->api->buffer_write(engine, buffer, 0, w, count * sizeof *w));
    convolution c = make(g, AD_FAST, buffer);
    as_new(&c, g, buffer, "at first");
    w[1] = 9;
    OK(engine->api->buffer_write(engine, buffer, 0, w, 2 * sizeof *w));
    as_new(&c, g, buffer, "after buffer_write");
    w[0] = -4;
    OK(engine->api->program_write(c.program, c.w, 0, w, sizeof *w));
    as_new(&c, g, buffer, "after program_write");
    w[0] = 5;
    OK(engine->api->buffer_send(engine, buffer, 0, w, sizeof *w));
    OK(engine->api->buffer_wait(engine));
    as_new(&c, g, buffer, "after buffer_send");
    fill(buffer, count, 0.5f);
    as_new(&c, g, buffer, "after another program's operation");
    /* On such numbers either way of computing is exact but for Winograd's sixths. Panels have other weights each. */
    for (size_t e = 0; e < count; e++) w[e] = ((float)(e % 5) - 2) / 16;
    OK(engine->api->buffer_write(engine, buffer, 0, w, count * sizeof *w));
    convolution plain = make(g, 0, buffer);
    float *got = result(&c), *want = result(&plain);
    for (size_t e = 0; e < c.outputs; e++) {
        const float off = got[e] > want[e] ? got[e] - want[e] : want[e] - got[e];
        ck_assert_msg(off <= (g->k == 1 ? 0.0f : 2e-3f), "[%zu]: %g, not %g", e, (double)got[e], (double)want[e]);
    }
    free(got);
    free(want);
    free(w);
    engine->api->program_destroy(&plain.program);
    engine->api->program_destroy(&c.program);
    engine->api->buffer_destroy(engine, &buffer);
}
END_TEST

/* Allocations of a program whose plan leaves so much beside its arenas, and its results; free(). */
static long allocations(const ad_geometry *g, ad_buffer *buffer, size_t spare_bytes, float **results) {
    enum { MANY = 1000 };
    ad_plan *plan = NULL;
    convolution c = plan_of(g, AD_FAST, &plan);
    plan->spare_bytes = spare_bytes;
    ad_test_fail_allocation(MANY);
    OK(engine->api->program_create(engine, plan, (ad_buffer *[]){buffer, NULL}, &c.program));
    const long count = MANY - ad_test_fail_allocation(-1);
    ad_plan_destroy(&plan);
    write_inputs(&c);
    *results = result(&c);
    engine->api->program_destroy(&c.program);
    return count;
}

/* What a plan leaves no room for is not kept, and the results are the same. */
START_TEST(room_for_weights) {
    const ad_geometry *g = &geometries[_i];
    const size_t count = (size_t)g->c * (size_t)g->o * (size_t)g->k * (size_t)g->k;
    float *w = malloc(count * sizeof *w), *kept, *anew;
    ad_buffer *buffer = NULL;
    OK(engine->api->buffer_create(engine, count * sizeof *w, &buffer));
    for (size_t e = 0; e < count; e++) w[e] = (float)(e % 7) - 3;
    OK(engine->api->buffer_write(engine, buffer, 0, w, count * sizeof *w));
    const long with = allocations(g, buffer, SIZE_MAX, &kept);
    const long without = allocations(g, buffer, count * sizeof *w - sizeof *w, &anew);
    ck_assert_int_eq(with, without + 1);
    const ad_op op = {.kind = AD_OP_CONV, .g = *g, .tasks = 1, .t = {-1, -1, -1, -1, -1, -1, -1, -1}};
    ck_assert(!memcmp(kept, anew, ad_op_elements(&op, 3) * sizeof *kept));
    free(kept);
    free(anew);
    free(w);
    engine->api->buffer_destroy(engine, &buffer);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cpu_kept");
    TCase *tests = tcase_create("weights");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, weights_change, 0, (int)AD_COUNT(geometries));
    tcase_add_loop_test(tests, room_for_weights, 0, (int)AD_COUNT(geometries));
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
