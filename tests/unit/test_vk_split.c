/* Long launches are divided into dispatches (vk/program/split.h); the parts are the whole, and compute the same. */
#include "plan/plan.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"
#include "vk/program/split.h"
#include "vk/vk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static adatom_context *ctx;
static int dispatches, buffers; /* of the segment that was recorded last */

static void on_log(void *user, adatom_log_level level, const char *text) {
    (void)user;
    (void)level;
    sscanf(text, "segment %*d: %*d operations, %*d barriers, %d command buffers, %d dispatches", &buffers, &dispatches);
}

/* Each workgroup is in exactly one part; x is whole where there are rows. */
START_TEST(parts_cover_the_grid_once) {
    static const uint32_t grids[][3] = {{1, 1, 1}, {7, 1, 1}, {1, 1, 64}, {5, 1, 3},  {9, 4, 1},
                                        {3, 5, 2}, {2, 1, 9}, {1, 6, 1},  {40, 3, 7}, {65, 1, 1}};
    static const double wanted[] = {0, 1, 1.01, 2, 3, 7, 10.5, 64, 1e9, INFINITY};
    for (size_t k = 0; k < AD_COUNT(grids); k++)
        for (size_t w = 0; w < AD_COUNT(wanted); w++) {
            const uint32_t *grid = grids[k];
            const uint32_t groups = grid[0] * grid[1] * grid[2];
            unsigned char seen[40 * 3 * 7] = {0};
            const int parts = ad_vk_part_count(grid, wanted[w]);
            ck_assert(parts >= 1 && (uint32_t)parts <= groups);
            /* Tasks times rows, or workgroups of the single row: that many parts there are, if wanted. */
            const uint32_t units = grid[2] * (grid[1] > 1 ? grid[1] : grid[0]);
            ck_assert_uint_ge((uint32_t)parts, AD_MIN(units, wanted[w] < 1e6 ? (uint32_t)wanted[w] : units));
            for (int i = 0; i < parts; i++) {
                const vk_part p = ad_vk_part_of(grid, parts, i);
                ck_assert(p.count[0] > 0 && p.count[1] > 0 && p.count[2] > 0);
                if (grid[1] > 1) ck_assert(p.base[0] == 0 && p.count[0] == grid[0]);
                if (wanted[w] > 1e6) ck_assert(!ad_vk_part_divisible(grid, &p));
                for (uint32_t z = p.base[2]; z < p.base[2] + p.count[2]; z++)
                    for (uint32_t y = p.base[1]; y < p.base[1] + p.count[1]; y++)
                        for (uint32_t x = p.base[0]; x < p.base[0] + p.count[0]; x++)
                            seen[(z * grid[1] + y) * grid[0] + x]++;
            }
            for (uint32_t g = 0; g < groups; g++) ck_assert_int_eq(seen[g], 1);
        }
}
END_TEST

enum { TASKS = 6, PICTURES = 4, SIZE = 12, CHANNELS = 16, PIXELS = PICTURES * SIZE * SIZE * CHANNELS };

/* A convolution of several tasks, then an addition. */
static ad_plan *conv_plan(int *x, int *w, int *y, int *sum) {
    ad_plan *plan = ad_plan_create(ctx, TASKS);
    const int arena = ad_plan_arena(ctx, plan, false);
    *x = ad_plan_tensor(ctx, plan, "x", AD_F32, arena, PIXELS, true);
    *w = ad_plan_tensor(ctx, plan, "w", AD_F32, arena, 9 * CHANNELS * CHANNELS, true);
    *y = ad_plan_tensor(ctx, plan, "y", AD_F32, arena, PIXELS, true);
    *sum = ad_plan_tensor(ctx, plan, "sum", AD_F32, arena, PIXELS, true);
    ad_op *conv = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, AD_OP_CONV);
    conv->g = (ad_geometry){.n = PICTURES,
                            .h = SIZE,
                            .w = SIZE,
                            .c = CHANNELS,
                            .oh = SIZE,
                            .ow = SIZE,
                            .o = CHANNELS,
                            .k = 3,
                            .stride = 1,
                            .pad = 1,
                            .dil = 1};
    conv->t[0] = (int16_t)*x;
    conv->t[1] = (int16_t)*w;
    conv->t[3] = (int16_t)*y;
    ad_op *add = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, AD_OP_ADD);
    add->g.c = PIXELS;
    add->t[0] = (int16_t)*y;
    add->t[1] = (int16_t)*x;
    add->t[2] = (int16_t)*sum;
    return plan;
}

/* Runs it with that limit of a dispatch, `turns` times one after the other. */
static void run(double seconds, int turns, bool profile, float *out) {
    int x, w, y, sum;
    ad_engine *engine = NULL;
    ad_program *program = NULL;
    OK(ad_vk_engine_create(ctx, &(adatom_device_params){.validate = true}, 0, &engine));
    if (seconds > 0) ad_vk_test_dispatch_seconds(engine, seconds);
    ad_plan *plan = conv_plan(&x, &w, &y, &sum);
    float *data = malloc(TASKS * PIXELS * sizeof *data);
    for (int i = 0; i < TASKS * PIXELS; i++) data[i] = (float)(i * 2654435761u >> 20) / 4096 - 0.5f;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    OK(engine->api->program_write(program, x, 0, data, TASKS * PIXELS * sizeof *data));
    OK(engine->api->program_write(program, w, 0, data, TASKS * 9 * CHANNELS * CHANNELS * sizeof *data));
    OK(engine->api->program_profile(program, profile));
    for (int i = 0; i < turns; i++) OK(ad_run_segment(engine->api, program, AD_SEGMENT_STEP, 1));
    OK(engine->api->program_read(program, sum, 0, out, TASKS * PIXELS * sizeof *out));
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    engine->api->describe(engine, &info);
    for (int op = 0; op < 2 && profile && info.timer; op++) {
        const double ns = engine->api->program_op_ns(program, op);
        ck_assert_msg(ns > 0 && ns < 60e9, "operation %d: %g ns", op, ns);
    }
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    engine->api->destroy(engine);
    free(data);
}

START_TEST(divided_launches_give_the_same_bytes) {
    static float whole[TASKS * PIXELS], divided[TASKS * PIXELS];
    run(60, 1, false, whole);
    ck_assert_int_eq(dispatches, 2);
    static const double limits[] = {1e-3, 1e-5, 1e-9};
    int before = 2;
    for (size_t k = 0; k < AD_COUNT(limits); k++) {
        memset(divided, 0, sizeof divided);
        run(limits[k], 1, k == 1, divided);
        ck_assert_msg(dispatches > before, "%d dispatches with %g s", dispatches, limits[k]);
        ck_assert_int_eq(memcmp(whole, divided, sizeof whole), 0);
        before = dispatches;
    }
    ck_assert_int_gt(before, 100);
}
END_TEST

/* What was divided for the sake of a first guess is put together once the device has shown how fast it is. Where others
 * use the processors of a software device, it may show that only now and then. */
START_TEST(fast_launches_are_put_together) {
    static float whole[TASKS * PIXELS], divided[TASKS * PIXELS];
    run(0, 1, false, whole);
    const int first = dispatches;
    /* 16 MFLOP at the GFLOP/s that a software device is taken for: a few parts, and many. */
    static const double limits[] = {5e-3, 1e-4};
    for (size_t k = 0; k < AD_COUNT(limits); k++) {
        run(limits[k], 1, false, divided);
        const int many = dispatches;
        ck_assert_int_gt(many, first);
        for (int attempt = 0; attempt < 50 && dispatches >= many; attempt++) {
            run(limits[k], 4, false, divided);
            ck_assert_int_eq(memcmp(whole, divided, sizeof whole), 0);
        }
        ck_assert_msg(dispatches < many, "%d dispatches, %d at first", dispatches, many);
    }
}
END_TEST

int main(void) {
    const adatom_context_params params = {.size = sizeof params, .log = on_log};
    size_t count = 0;
    if (adatom_context_create(&params, &ctx) != ADATOM_OK) return EXIT_FAILURE;
    const bool vulkan = getenv("CI") || ad_vk_list(ctx, NULL, 0, &count) != ADATOM_OK || count > 0;
    Suite *suite = suite_create("vk_split");
    TCase *tests = tcase_create("split");
    tcase_add_test(tests, parts_cover_the_grid_once);
    if (vulkan) {
        tcase_add_test(tests, divided_launches_give_the_same_bytes);
        tcase_add_test(tests, fast_launches_are_put_together);
    }
    suite_add_tcase(suite, tests);
    const int result = run_suite(suite, CK_NOFORK);
    adatom_context_destroy(&ctx);
    return result;
}
