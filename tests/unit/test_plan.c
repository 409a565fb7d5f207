/* What ad_plan_validate refuses: forbidden aliasing, wrong types, flags that an operation does not know
 * (plan/ops.def). */
#include "plan/activation.h"
#include "plan/plan.h"
#include "tests/run_suite.h"

#include <math.h>
#include <string.h>

static adatom_context *ctx;
static ad_plan *plan;
static int arena;

enum { TASKS = 3, CHANNELS = 8 };

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    plan = ad_plan_create(ctx, TASKS);
    arena = ad_plan_arena(ctx, plan, false);
}

static void teardown(void) {
    ad_plan_destroy(&plan);
    adatom_context_destroy(&ctx);
}

static const ad_geometry geometry = {
    .n = 2, .h = 4, .w = 4, .c = CHANNELS, .oh = 4, .ow = 4, .o = CHANNELS, .k = 1, .stride = 1, .dil = 1, .m = 2};

static ad_type type_of(int kind, int role) { return ad_op_role_type(kind, role); }

/* The operation with a tensor of its own for each role. */
static ad_op *add(int kind) {
    ad_op *op = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, kind);
    op->g = geometry;
    if (kind >= AD_OP_AFFINE_POOL && kind <= AD_OP_AFFINE_POOL_SUMS) op->g.k = op->g.stride = op->g.oh = op->g.ow = 2;
    if (kind == AD_OP_PACK || kind == AD_OP_COMPOSE || kind == AD_OP_COMPOSE_DPSI || kind == AD_OP_COMPOSE_DALPHA)
        op->i[0] = CHANNELS;
    if (kind == AD_OP_COMPOSE_DALPHA) op->i[1] = CHANNELS;
    if (kind == AD_OP_GATHER) {
        op->i[1] = 4;
        op->i[2] = op->i[3] = 4;
    }
    if (kind == AD_OP_GATHER_ROWS) op->i[1] = 4;
    if (kind == AD_OP_DROP_MASK) op->i[0] = 3;
    if (kind == AD_OP_SOFTMAX_CE) op->f[2] = 1; /* the teacher's temperature */
    if (kind == AD_OP_TASK_SUM) {
        op->i[0] = TASKS;
        op->tasks = 1;
    }
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++)
        op->t[r] = 0; /* sizes depend on what is there */
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++) {
        const size_t count = ad_op_elements(op, r);
        const bool shared = type_of(kind, r) != AD_F32 || (kind == AD_OP_TASK_SUM && r == 1);
        op->t[r] = (int16_t)ad_plan_tensor(ctx, plan, "tensor", type_of(kind, r), arena, count ? count : 1, !shared);
    }
    return op;
}

static void refused(const char *part) {
    ck_assert_msg(ad_plan_validate(ctx, plan) == ADATOM_USAGE, "accepted: '%s'", part);
    ck_assert_msg(strstr(adatom_context_message(ctx), part), "no '%s' in '%s'", part, adatom_context_message(ctx));
}

/* Every role of every operation given another role's tensor: accepted where both are read, or where ops.def says they
 * may be the same. */
START_TEST(aliasing) {
    const int kind = _i;
    ad_op *op = add(kind);
    OK(ad_plan_validate(ctx, plan));
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++)
        for (int other = 0; ad_op_role(kind, other, NULL, NULL, NULL) != AD_ACCESS_NONE; other++) {
            const ad_tensor *a = &plan->tensors[op->t[r]], *b = &plan->tensors[op->t[other]];
            if (r == other || a->type != b->type || a->count > b->count) continue;
            const bool reads = ad_op_access(op, r) == AD_READ && ad_op_access(op, other) == AD_READ;
            const bool allowed = (ad_op_role_same(kind, r, other) && ad_op_access(op, other) == AD_READ) ||
                                 (ad_op_role_same(kind, other, r) && ad_op_access(op, r) == AD_READ);
            const int16_t own = op->t[r];
            op->t[r] = op->t[other];
            if (reads || allowed)
                OK(ad_plan_validate(ctx, plan));
            else
                refused("must not share memory with");
            op->t[r] = own;
        }
}
END_TEST

/* As ARCHITECTURE and ops.def have it, spelled out: the places that engines rely on. */
START_TEST(aliasing_by_name) {
    ck_assert(ad_op_role_same(AD_OP_ADD, 2, 0) && !ad_op_role_same(AD_OP_ADD, 2, 1));
    ck_assert(ad_op_role_same(AD_OP_AFFINE, 3, 0) && ad_op_role_same(AD_OP_AFFINE, 3, 2) &&
              !ad_op_role_same(AD_OP_AFFINE, 3, 1));
    ck_assert(ad_op_role_same(AD_OP_AFFINE_BACK, 4, 1) && ad_op_role_same(AD_OP_AFFINE_BACK, 5, 1));
    ck_assert(!ad_op_role_same(AD_OP_AFFINE_BACK, 4, 0) && !ad_op_role_same(AD_OP_CONV, 3, 0));
    ad_op *conv = add(AD_OP_CONV);
    conv->t[3] = conv->t[0];
    refused("operation 0 (conv): y 'tensor' must not share memory with x 'tensor'");
}
END_TEST

/* Both derivatives into dy's tensor: each alone is allowed. */
START_TEST(written_twice) {
    ad_op *op = add(AD_OP_AFFINE_BACK);
    op->t[4] = op->t[1];
    OK(ad_plan_validate(ctx, plan));
    op->t[5] = op->t[1];
    refused("must not share memory with");
}
END_TEST

/* Different tensors over the same bytes, and tensors of tasks that take turns in memory, which share none. */
START_TEST(overlapping_tensors) {
    ad_op *op = add(AD_OP_CONV);
    op->t[4] = op->t[5] = -1; /* coef and residual */
    ad_tensor *x = &plan->tensors[op->t[0]], *y = &plan->tensors[op->t[3]];
    const size_t offset = y->offset;
    y->offset = x->offset + AD_TENSOR_ALIGN_BYTES;
    refused("must not share memory with");
    y->offset = offset;
    OK(ad_plan_validate(ctx, plan));
    x->stride = y->stride = 4 * x->count; /* x, y, x, y, x, y */
    y->offset = x->offset + 4 * x->count;
    plan->arenas[arena].bytes = y->offset + 4 * y->stride * TASKS + 4096;
    const size_t end = plan->arenas[arena].bytes;
    plan->tensors[op->t[1]].offset = end / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
    plan->tensors[op->t[2]].offset = plan->tensors[op->t[1]].offset + 65536;
    plan->arenas[arena].bytes += 131072;
    OK(ad_plan_validate(ctx, plan));
    y->offset -= AD_TENSOR_ALIGN_BYTES;
    refused("must not share memory with");
    y->offset += AD_TENSOR_ALIGN_BYTES;
    y->stride += 64; /* with another stride later copies can meet where the first ones don't */
    OK(ad_plan_validate(ctx, plan));
    y->offset = x->offset + 4 * (x->stride - x->count);
    refused("must not share memory with");
    y->stride -= 64;
    OK(ad_plan_validate(ctx, plan));
}
END_TEST

START_TEST(wrong_types) {
    const int kind = _i;
    ad_op *op = add(kind);
    static const ad_type types[] = {AD_F32, AD_I32, AD_U8};
    for (int r = 0; ad_op_role(kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++) {
        ad_tensor *t = &plan->tensors[op->t[r]];
        const ad_type right = t->type;
        for (size_t i = 0; i < AD_COUNT(types); i++) {
            t->type = types[i];
            if (types[i] == right)
                OK(ad_plan_validate(ctx, plan));
            else if (ad_type_bytes(types[i]) <= ad_type_bytes(right))
                refused(" must be of ");
        }
        t->type = right;
    }
}
END_TEST

START_TEST(labels_are_integers) {
    ad_op *op = add(AD_OP_SOFTMAX_CE);
    plan->tensors[op->t[1]].type = AD_F32;
    refused("(softmax-ce): labels must be of integers, 'tensor' is of floats");
}
END_TEST

/* AD_ACCUMULATE, exactly where ops.def lists it. */
START_TEST(accumulation) {
    static const char *const adds[] = {"conv",
                                       "conv-dx",
                                       "conv-dw",
                                       "conv-dbias",
                                       "compose",
                                       "compose-dpsi",
                                       "compose-dalpha",
                                       "atoms",
                                       "atoms-du",
                                       "atoms-dpsi",
                                       "depth",
                                       "depth-dx",
                                       "depth-dpsi",
                                       "fused-atoms",
                                       "fused-atoms-dx",
                                       "pool-back",
                                       "linear",
                                       "linear-dx",
                                       "linear-dw",
                                       "class-mean-back",
                                       "affine-back",
                                       "affine-pool-back",
                                       "depthwise-dx",
                                       "depthwise-dw",
                                       "layer-norm-back",
                                       "channel-scale-back",
                                       "task-sum"};
    const int kind = _i;
    bool listed = false;
    for (size_t i = 0; i < AD_COUNT(adds); i++) listed |= !strcmp(adds[i], ad_op_name(kind));
    ad_op *op = add(kind);
    op->flags = AD_ACCUMULATE;
    if (kind == AD_OP_CONV) {
        refused("cannot add what it scales or activates");
        op->t[4] = op->t[5] = -1; /* coef and residual */
        op->i[0] = 1;
        refused("cannot add what it scales or activates");
        op->i[0] = 0;
    }
    if (listed)
        OK(ad_plan_validate(ctx, plan));
    else
        refused("cannot add to its results");
    static const int of_gather[] = {AD_FLIP, AD_TURN, AD_MIRROR};
    static const char *const no_flags[] = {"has no flags 0x2", "has no flags 0x10", "has no flags 0x20"};
    for (size_t f = 0; f < AD_COUNT(of_gather); f++) {
        op->flags = (uint16_t)of_gather[f];
        if (kind == AD_OP_GATHER)
            OK(ad_plan_validate(ctx, plan));
        else
            refused(no_flags[f]);
    }
    op->flags = 64;
    refused("has no flags 0x40");
}
END_TEST

/* The padding after the image may be larger than that before it: as far as TensorFlow's SAME and rounding up make it.
 */
START_TEST(padding) {
    static const struct {
        int in, k, stride, pad, dil, most;
    } shapes[] = {{8, 3, 1, 1, 1, 9}, {8, 3, 2, 0, 1, 4},  {7, 3, 2, 1, 1, 4},  {8, 2, 1, 0, 1, 8},
                  {9, 2, 2, 0, 1, 5}, {13, 4, 4, 1, 1, 4}, {9, 3, 1, 2, 2, 10}, {8, 1, 1, 0, 1, 9}};
    static const int kinds[] = {AD_OP_CONV,         AD_OP_CONV_DX,     AD_OP_CONV_DW,   AD_OP_ATOMS,
                                AD_OP_DEPTH,        AD_OP_FUSED_ATOMS, AD_OP_DEPTHWISE, AD_OP_DEPTHWISE_DX,
                                AD_OP_DEPTHWISE_DW, AD_OP_POOL,        AD_OP_POOL_BACK};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(shapes); s++) {
            const bool pool = kinds[kind] == AD_OP_POOL || kinds[kind] == AD_OP_POOL_BACK;
            const int span = shapes[s].dil * (shapes[s].k - 1) + 1;
            ad_op op = {.kind = (uint16_t)kinds[kind], .tasks = 1};
            op.g = geometry;
            op.g.h = op.g.w = shapes[s].in;
            op.g.k = shapes[s].k;
            op.g.stride = shapes[s].stride;
            op.g.pad = shapes[s].pad;
            op.g.dil = shapes[s].dil;
            for (int more = 0; more < 2; more++)
                for (int column = 0; column < 2; column++) {
                    teardown();
                    setup();
                    op.g.oh = op.g.ow = shapes[s].most;
                    *(column ? &op.g.ow : &op.g.oh) += more;
                    ad_op *added = ad_plan_op(ctx, plan, AD_SEGMENT_STEP, op.kind);
                    added->g = op.g;
                    for (int r = 0; ad_op_role(op.kind, r, NULL, NULL, NULL) != AD_ACCESS_NONE; r++)
                        added->t[r] = (int16_t)ad_plan_tensor(ctx, plan, "tensor", AD_F32, arena,
                                                              AD_MAX(ad_op_elements(added, r), 1), true);
                    /* A window of POOL without a pixel. */
                    const bool empty =
                        pool && (op.g.pad >= span || (AD_MAX(op.g.oh, op.g.ow) - 1) * op.g.stride - op.g.pad >= op.g.h);
                    if (more || empty)
                        refused("outputs of");
                    else
                        OK(ad_plan_validate(ctx, plan));
                }
        }
    plan->ops[0].g.stride = 0;
    refused("has no such windows");
}
END_TEST

START_TEST(activations_of_depthwise) {
    ad_op *op = add(AD_OP_DEPTHWISE);
    op->i[0] = AD_ACT_COUNT - 1;
    OK(ad_plan_validate(ctx, plan));
    op->i[0] = AD_ACT_COUNT;
    refused("(depthwise) cannot have activation 10");
    op->i[0] = -1;
    refused("cannot have activation -1");
}
END_TEST

START_TEST(groups_of_convolutions) {
    static const int kinds[] = {AD_OP_CONV, AD_OP_CONV_DX, AD_OP_CONV_DW};
    ad_op *op = add(kinds[_i]);
    op->g.groups = 1;
    OK(ad_plan_validate(ctx, plan));
    op->g.groups = 2;
    OK(ad_plan_validate(ctx, plan));
    op->g.groups = 4; /* of two channels */
    refused("cannot convolve 8 inputs and 8 outputs in 4 groups");
    op->g.groups = -1;
    refused("in -1 groups");
    op->g.groups = 0;
    if (kinds[_i] == AD_OP_CONV) {
        op->i[0] = 10;
        refused("(conv) cannot have activation 10");
        op->i[0] = -1;
        refused("cannot have activation -1");
    }
    ad_op *other = add(AD_OP_CONV_DBIAS);
    plan->ops[0].g.groups = plan->ops[0].i[0] = 0;
    other->g.groups = 2;
    refused("(conv-dbias) cannot convolve");
}
END_TEST

/* What the derivatives of activations are taken from. */
START_TEST(activations) {
    enum { Y, X = 3, DRESIDUAL = 5 };
    ad_op *op = add(AD_OP_AFFINE_BACK);
    op->i[0] = AD_ACT_COUNT;
    refused("operation 0 (affine-back) cannot have activation 10");
    op->i[0] = AD_ACT_GELU;
    refused("operation 0 (affine-back) with activation gelu cannot have dresidual");
    op->t[DRESIDUAL] = op->t[Y] = -1;
    OK(ad_plan_validate(ctx, plan));
    op->t[X] = -1;
    refused("operation 0 (affine-back) with activation gelu lacks x");
    op->i[0] = AD_ACT_RELU6;
    refused("operation 0 (affine-back) with activation relu6 lacks y");
}
END_TEST

START_TEST(activations_with_pool) {
    ad_op *op = add(AD_OP_AFFINE_POOL);
    op->i[0] = AD_ACT_RELU6;
    OK(ad_plan_validate(ctx, plan));
    op->i[0] = AD_ACT_SILU;
    refused("operation 0 (affine-pool) cannot have activation 4");
}
END_TEST

/* x that is there for the derivative only: back holds A alone. */
START_TEST(x_of_the_activation) {
    enum { BACK = 2 };
    ad_op *op = add(AD_OP_AFFINE_BACK);
    plan->tensors[op->t[BACK]].count = CHANNELS;
    refused("back 'tensor' has 8 elements, 24 needed");
    op->i[1] = 1;
    OK(ad_plan_validate(ctx, plan));
}
END_TEST

START_TEST(copies_that_begin_late) {
    ad_op *op = add(AD_OP_COPY);
    op->i[0] = 4;
    refused("x 'tensor' has 8 elements, 12 needed");
    plan->tensors[op->t[0]].count = 12;
    plan->tensors[op->t[0]].stride = 12;
    plan->arenas[arena].bytes += 64;
    op->i[0] = 2;
    refused("operation 0 (copy) cannot begin at element 2");
    op->i[0] = -4;
    refused("operation 0 (copy) cannot begin at element -4");
}
END_TEST

START_TEST(sums_over_tasks) {
    enum { X, Y };
    ad_op *op = add(AD_OP_TASK_SUM);
    ad_tensor *x = &plan->tensors[op->t[X]], *y = &plan->tensors[op->t[Y]];
    OK(ad_plan_validate(ctx, plan));
    op->i[0] = TASKS + 1;
    refused("operation 0 (task-sum) cannot sum 4 tasks, x 'tensor' is of 3");
    op->i[0] = 0;
    refused("cannot sum 0 tasks");
    op->i[0] = TASKS - 1;
    OK(ad_plan_validate(ctx, plan));
    plan->lanes = TASKS;
    x->lane = true;
    refused("cannot sum 2 tasks, x 'tensor' is of 0");
    x->lane = false;
    x->stride = 0;
    refused("cannot sum 2 tasks, x 'tensor' is of 1");
    x->stride = CHANNELS;
    op->tasks = TASKS;
    refused("(task-sum) is run once, for a y that all tasks share");
    op->tasks = 1;
    y->stride = CHANNELS;
    plan->arenas[arena].bytes += TASKS * CHANNELS * sizeof(float);
    refused("(task-sum) is run once, for a y that all tasks share");
}
END_TEST

START_TEST(turned_pictures_are_square) {
    ad_op *op = add(AD_OP_GATHER);
    op->flags = AD_FLIP | AD_TURN;
    OK(ad_plan_validate(ctx, plan));
    op->g.h = 3;
    refused("operation 0 (gather) cannot turn pictures of 3x4 pixels");
    op->flags = AD_FLIP;
    OK(ad_plan_validate(ctx, plan));
}
END_TEST

START_TEST(mirrored_pictures_come_in_pairs) {
    ad_op *op = add(AD_OP_GATHER);
    op->flags = AD_FLIP | AD_MIRROR;
    OK(ad_plan_validate(ctx, plan));
    op->flags |= AD_TURN;
    refused("(gather) cannot make 2 pictures that are mirrored and turned");
    op->flags = AD_MIRROR;
    op->g.n = 1;
    refused("(gather) cannot make 1 pictures that are mirrored");
}
END_TEST

START_TEST(blocks_that_are_dropped) {
    ad_op *op = add(AD_OP_DROP_MASK);
    static const struct {
        int side, ramp;
        float rate;
    } wrong[] = {{0, 0, 0.1f}, {5, 0, 0.1f}, {2, -1, 0.1f}, {2, 0, -0.1f}, {2, 0, 1.5f}, {2, 0, NAN}};
    for (size_t i = 0; i < AD_COUNT(wrong); i++) {
        op->i[0] = wrong[i].side;
        op->i[1] = wrong[i].ramp;
        op->f[0] = wrong[i].rate;
        refused("operation 0 (drop-mask) cannot drop ");
    }
    op->f[0] = 0.5f;
    op->i[0] = 4;
    OK(ad_plan_validate(ctx, plan));
    /* The rate is that of all numbers, whatever the blocks: of one block it is the chance of this. */
    ck_assert_uint_eq(ad_op_drop_chance(op), 1 << 23);
    op->i[0] = 1;
    ck_assert_uint_eq(ad_op_drop_chance(op), 1 << 23);
    op->i[0] = 2; /* 0.5/4 * 16/9, rounded up */
    ck_assert_uint_eq(ad_op_drop_chance(op), 3728271);
    op->f[0] = 1;
    op->i[0] = 1;
    ck_assert_uint_eq(ad_op_drop_chance(op), 1 << 24);
}
END_TEST

START_TEST(targets_of_mixtures_and_teachers) {
    enum { ROUNDS = 5, MIX = 6, TEACHER };
    ad_op *op = add(AD_OP_SOFTMAX_CE);
    OK(ad_plan_validate(ctx, plan));
    op->f[2] = 0;
    refused("operation 0 (softmax-ce) cannot learn from a teacher at temperature 0");
    op->f[2] = 1;
    /* A row of the tables for each round, of the teacher's for each task and picture, too. */
    op->i[7] = ROUNDS;
    for (int r = 0; r < MIX; r++) {
        ad_tensor *t = &plan->tensors[op->t[r]];
        if (t->count >= ad_op_elements(op, r)) continue;
        op->t[r] = (int16_t)ad_plan_tensor(ctx, plan, "tensor", t->type, arena, ad_op_elements(op, r), false);
    }
    refused("mix 'tensor' has 8 elements, 40 needed");
    op->t[MIX] = -1;
    refused("teacher 'tensor' has 48 elements, 240 needed"); /* 3 tasks of 2 pictures, 8 classes */
    op->t[TEACHER] = -1;
    op->f[2] = 0;
    OK(ad_plan_validate(ctx, plan));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("plan");
    TCase *tests = tcase_create("plan");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, aliasing, 0, AD_OP_COUNT);
    tcase_add_test(tests, aliasing_by_name);
    tcase_add_test(tests, written_twice);
    tcase_add_test(tests, overlapping_tensors);
    tcase_add_loop_test(tests, wrong_types, 0, AD_OP_COUNT);
    tcase_add_test(tests, labels_are_integers);
    tcase_add_loop_test(tests, accumulation, 0, AD_OP_COUNT);
    tcase_add_test(tests, padding);
    tcase_add_test(tests, activations_of_depthwise);
    tcase_add_loop_test(tests, groups_of_convolutions, 0, 3);
    tcase_add_test(tests, activations);
    tcase_add_test(tests, activations_with_pool);
    tcase_add_test(tests, x_of_the_activation);
    tcase_add_test(tests, copies_that_begin_late);
    tcase_add_test(tests, sums_over_tasks);
    tcase_add_test(tests, turned_pictures_are_square);
    tcase_add_test(tests, mirrored_pictures_come_in_pairs);
    tcase_add_test(tests, blocks_that_are_dropped);
    tcase_add_test(tests, targets_of_mixtures_and_teachers);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
