/* Plans of networks: every tensor that the result names is the one it says, and what goes wrong is told. */
#include "compile/build.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

enum { ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM, ALL = (1 << AD_ROLE_STATISTICS) - 1 };
enum { WAY = 3, PICTURES = 8 };

static adatom_context *ctx;
static ad_network net;

static void begin(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    const adatom_model_params model = {
        .arch = "conv4", .sharing = ADATOM_SHARING_LAYER, .atoms = 3, .image_size = 16, .width = 8, .classes = WAY};
    OK(ad_network_build(ctx, &model, &net));
}

static void end(void) {
    ad_network_clear(&net);
    adatom_context_destroy(&ctx);
}

/* Support and queries, every statistic from the support set. */
static ad_build_params request(unsigned adapt) {
    static const int32_t chunks[] = {PICTURES - 3, 3};
    return (ad_build_params){.net = &net,
                             .tasks = 2,
                             .way = WAY,
                             .adapt = adapt,
                             .support = 2,
                             .query = 2,
                             .query_rounds = 1,
                             .steps = 3,
                             .head = AD_HEAD_LINEAR,
                             .head_init = AD_HEAD_BASE,
                             .bn = AD_BN_SUPPORT,
                             .optimiser.momentum = 0.9f,
                             .data_size = 16,
                             .chunks = chunks,
                             .chunk_count = 2};
}

static const char *name_of(const ad_built *built, int tensor) {
    ck_assert_int_ge(tensor, 0);
    return built->plan->tensors[tensor].name;
}

/* The updates of a plan's step read the gradients where backward writes them, with one moment or two. */
START_TEST(blocks) {
    begin();
    ad_build_params p = request(ATOMS | NORM);
    for (int adam = 0; adam < 2; adam++) {
        ad_built built;
        p.optimiser.adam = adam;
        OK(ad_build(ctx, &p, &built));
        const ad_plan *plan = built.plan;
        ck_assert_str_eq(name_of(&built, built.adapted), "adapted");
        ck_assert_str_eq(name_of(&built, built.velocity), "velocity");
        ck_assert_str_eq(name_of(&built, built.gradient), "gradient");
        ck_assert_int_eq(built.second >= 0, adam);
        const ad_tensor *block = &plan->tensors[built.gradient];
        int updates = 0;
        for (int i = 0; i < plan->op_count; i++) {
            const ad_op *op = &plan->ops[i];
            if (op->kind != (adam ? AD_OP_ADAM : AD_OP_SGD)) continue;
            const ad_tensor *value = &plan->tensors[op->t[0]], *gradient = &plan->tensors[op->t[1]];
            ck_assert_int_eq(gradient->arena, block->arena);
            ck_assert_uint_eq(gradient->offset - block->offset, value->offset - plan->tensors[built.adapted].offset);
            ck_assert_uint_eq(gradient->count, value->count);
            updates++;
        }
        ck_assert_int_eq(updates, 3); /* atoms, head, norm */
        ad_built_clear(&built);
    }
    ad_build_params forward = request(ATOMS);
    ad_built built;
    forward.steps = 0;
    OK(ad_build(ctx, &forward, &built));
    ck_assert_int_eq(built.gradient, -1);
    ad_built_clear(&built);
    end();
}
END_TEST

/* A rate of each role that adapts is another column, and none of them is that of low-rank adapters. */
START_TEST(rates) {
    begin();
    ad_build_params p = request(ALL);
    ad_built built;
    bool seen[AD_SCHEDULE_COLUMNS] = {false};
    OK(ad_build(ctx, &p, &built));
    for (int i = 0; i < built.plan->op_count; i++) {
        const ad_op *op = &built.plan->ops[i];
        if (op->kind != AD_OP_SGD) continue;
        ck_assert_int_lt(op->i[1], AD_RATE_LOWRANK);
        ck_assert(!seen[op->i[1]]);
        seen[op->i[1]] = true;
    }
    for (int role = 0; role < AD_ROLE_STATISTICS; role++) ck_assert(seen[ad_rate_of((ad_role)role)]);
    ad_built_clear(&built);
    end();
}
END_TEST

/* Each gather reads the chunk whose pictures it counts. */
START_TEST(chunks) {
    begin();
    const ad_build_params p = request(ATOMS);
    ad_built built;
    int gathers = 0;
    OK(ad_build(ctx, &p, &built));
    for (int i = 0; i < built.plan->op_count; i++) {
        const ad_op *op = &built.plan->ops[i];
        if (op->kind != AD_OP_GATHER) continue;
        const ad_tensor *data = &built.plan->tensors[op->t[0]];
        const int chunk = data->arena - 1; /* arena 0: parameters */
        ck_assert(chunk == 0 || chunk == 1);
        ck_assert_int_eq(op->i[0], chunk ? p.chunks[0] : 0);
        ck_assert_int_eq(op->i[1], p.chunks[chunk]);
        gathers++;
    }
    ck_assert_int_eq(gathers, 4);
    ad_built_clear(&built);
    end();
}
END_TEST

static void refused(const ad_build_params *p, adatom_status status, const char *sentence) {
    ad_built built;
    ck_assert_int_eq(ad_build(ctx, p, &built), status);
    ck_assert_ptr_null(built.plan);
    ck_assert_msg(strstr(adatom_context_message(ctx), sentence), "%s", adatom_context_message(ctx));
}

START_TEST(refusals) {
    begin();
    int32_t many[AD_MAX_ARENAS];
    for (int i = 0; i < AD_MAX_ARENAS; i++) many[i] = 1;
    ad_build_params p = request(ATOMS);
    p.chunks = many;
    p.chunk_count = AD_MAX_ARENAS;
    refused(&p, ADATOM_FAILED, "arenas");
    p = request(0);
    p.support = 0;
    refused(&p, ADATOM_USAGE, "support set");
    p = request(ATOMS);
    p.lowrank = (ad_lowrank){AD_LOWRANK_LORA, 2, 1};
    refused(&p, ADATOM_USAGE, "adapter of kernels");
    end();
}
END_TEST

/* Whichever allocation fails, the plan is not made, the status says so and nothing is kept. */
START_TEST(allocations) {
    begin();
    static const ad_lowrank kinds[] = {{AD_LOWRANK_NONE, 0, 0}, {AD_LOWRANK_BORA, 2, 1}, {AD_LOWRANK_TSA, 0, 1}};
    for (size_t k = 0; k < AD_COUNT(kinds); k++) {
        const bool kind = kinds[k].kind != AD_LOWRANK_NONE;
        ad_build_params p = request(kind ? 0 : ATOMS | NORM);
        p.lowrank = kinds[k];
        int n = 0;
        for (bool failed = true; failed; n++) {
            ad_built built;
            ad_test_fail_allocation(n);
            const adatom_status status = ad_build(ctx, &p, &built);
            failed = ad_test_fail_allocation(-1) < 0;
            ck_assert_int_eq(status, failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK);
            ck_assert_int_eq(built.plan == NULL, failed);
            ck_assert_int_eq(built.lowrank == NULL, failed || !kind);
            ad_built_clear(&built);
        }
        ck_assert_int_gt(n, 10);
    }
    end();
}
END_TEST

/* What all tasks share and is made once per program is made by one task: folded norms, factors, kernels. */
START_TEST(shared_tensors_are_made_once) {
    static const char *const archs[] = {"conv4", "convnext_atto"};
    OK(adatom_context_create(NULL, &ctx));
    for (size_t a = 0; a < AD_COUNT(archs); a++) {
        const adatom_model_params model = {
            .arch = archs[a], .sharing = ADATOM_SHARING_NONE, .image_size = 32, .classes = WAY};
        OK(ad_network_build(ctx, &model, &net));
        ad_build_params p = request(0);
        ad_built built;
        int made = 0;
        p.data_size = 32;
        p.bn = AD_BN_FROZEN;
        OK(ad_build(ctx, &p, &built));
        const ad_plan *plan = built.plan;
        for (int i = 0; i < plan->segments[AD_SEGMENT_INIT].count; i++) {
            const ad_op *op = &plan->ops[plan->segments[AD_SEGMENT_INIT].first + i];
            for (int r = 0; r < AD_OP_TENSORS; r++) {
                if (ad_op_access(op, r) < AD_WRITE || plan->tensors[op->t[r]].stride) continue;
                ck_assert_msg(op->tasks == 1, "%s: %d tasks write '%s'", archs[a], op->tasks,
                              plan->tensors[op->t[r]].name);
                made++;
            }
        }
        ck_assert_int_gt(made, 0);
        ad_built_clear(&built);
        ad_network_clear(&net);
    }
    adatom_context_destroy(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("compile");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, blocks);
    tcase_add_test(tests, rates);
    tcase_add_test(tests, chunks);
    tcase_add_test(tests, shared_tensors_are_made_once);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, allocations);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
