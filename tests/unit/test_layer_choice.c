/* Which layers a choice leaves, what it refuses, and what of a plan then runs once. */
#include "compile/build.h"
#include "net/layer_choice.h"
#include "tests/run_suite.h"

#include <string.h>

enum { ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM, COEFFICIENTS = 1 << AD_ROLE_COEFFICIENTS };

static adatom_context *ctx;
static ad_network net;
static bool chosen[256];

static void begin(const char *arch, adatom_sharing sharing, int size, int width) {
    const adatom_model_params model = {
        .arch = arch, .sharing = sharing, .atoms = 3, .image_size = size, .width = width};
    OK(adatom_context_create(NULL, &ctx));
    OK(ad_network_build(ctx, &model, &net));
    ck_assert_int_le(net.node_count, AD_COUNT(chosen));
}

static void end(void) {
    ad_network_clear(&net);
    adatom_context_destroy(&ctx);
}

static adatom_status choose(const char *names, int last, unsigned roles, ad_lowrank_kind kind) {
    const ad_layer_choice choice = {names, last};
    const ad_adapting what = {"a method", roles, {kind, 2, 1}};
    return ad_layers_choose(ctx, &net, &choice, &what, chosen);
}

static int node(const char *name) {
    for (int i = 1; i < net.node_count; i++)
        if (strcmp(net.nodes[i].name, name) == 0) return i;
    ck_abort_msg("no node %s", name);
}

static void holds(const char *names, int last, unsigned roles, const char *first, const char *without) {
    OK(choose(names, last, roles, AD_LOWRANK_NONE));
    ck_assert_msg(chosen[node(first)], "%s, last %d: not %s", names, last, first);
    ck_assert_msg(!chosen[node(without)], "%s, last %d: %s", names, last, without);
}

START_TEST(names) {
    begin("resnet10", ADATOM_SHARING_LAYER, 33, 4);
    holds("layer2.conv", 0, ATOMS, "layer2.conv", "layer3.conv");
    holds("layer2", 0, ATOMS | NORM, "layer2.norm", "layer3.norm");
    holds("layer4", 0, NORM, "layer4.shortcut.norm", "layer5.norm");
    holds("layer4.shortcut", 0, NORM, "layer4.shortcut.norm", "layer4.norm");
    holds("*.norm", 0, NORM, "layer1.norm", "layer2.conv");
    holds("l?yer9.c*,layer9.*v", 0, ATOMS, "layer9.conv", "layer2.norm");
    end();
}
END_TEST

START_TEST(last) {
    begin("resnet10", ADATOM_SHARING_LAYER, 33, 4);
    holds(NULL, 1, ATOMS, "layer9.conv", "layer8.conv");
    holds(NULL, 1, ATOMS | NORM, "layer9.norm", "layer8.norm");
    holds(NULL, 2, NORM, "layer8.shortcut.norm", "layer7.norm"); /* a layer with its shortcut is one */
    holds("layer2,layer5,layer7", 2, ATOMS, "layer5.conv", "layer2.conv");
    holds("layer2,layer5,layer7", 2, ATOMS, "layer7.conv", "layer6.conv");
    OK(choose(NULL, 8, ATOMS, AD_LOWRANK_NONE));
    ck_assert_int_eq(choose(NULL, 9, ATOMS, AD_LOWRANK_NONE), ADATOM_USAGE); /* the stem has none */
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "only 8 have"));
    OK(choose(NULL, 9, NORM, AD_LOWRANK_NONE));
    OK(choose(NULL, 9, 0, AD_LOWRANK_LORA));
    end();
}
END_TEST

START_TEST(shared) {
    begin("conv4", ADATOM_SHARING_NET, 16, 8);
    const int coefficients = net.nodes[node("layer2.conv")].coefficients;
    OK(choose("layer2,layer3", 0, ATOMS | COEFFICIENTS, AD_LOWRANK_NONE));
    ck_assert(!ad_layers_have(&net, chosen, coefficients));
    ck_assert(ad_layers_have(&net, chosen, net.nodes[node("layer3.conv")].atoms));
    ck_assert(!ad_layers_have(&net, chosen, net.nodes[node("layer4.conv")].atoms));
    OK(choose("layer2,layer3,layer4", 0, ATOMS | COEFFICIENTS, AD_LOWRANK_NONE));
    ck_assert(ad_layers_have(&net, chosen, coefficients));
    ck_assert(ad_layers_have(&net, NULL, coefficients));
    memset(chosen, 0, sizeof chosen);
    ad_layers_mark(&net, coefficients, chosen);
    ck_assert(chosen[node("layer2.conv")] && chosen[node("layer4.conv")] && !chosen[node("layer1.conv")]);
    end();
}
END_TEST

START_TEST(refusals) {
    static const struct {
        const char *names;
        int last;
        unsigned roles;
        const char *sentence;
    } cases[] = {
        {"layer", 0, ATOMS, "no layer 'layer'; its layers are 'layer1.conv' to 'layer4.pool'"},
        {"layer2,", 0, ATOMS, "no layer ''"},
        {"", 0, ATOMS, "no layer ''"},
        {"layer2.con", 0, ATOMS, "no layer 'layer2.con'"},
        {"layer2.conv.x", 0, ATOMS, "no layer 'layer2.conv.x'"},
        {"layer1", 0, ATOMS, "the layers 'layer1' have no numbers that 'a method' adapts"},
        {"*.pool", 1, ATOMS | NORM, "the layers '*.pool' have no numbers"},
        {"layer1,layer2", 2, ATOMS, "the last 2 layers are to adapt, but of 'layer1,layer2' only 1"},
        {"nothing", 0, 0, "no layer 'nothing'"}, /* by a method that adapts no layer, too */
    };
    begin("conv4", ADATOM_SHARING_NET, 16, 8);
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        ck_assert_int_eq(choose(cases[i].names, cases[i].last, cases[i].roles, AD_LOWRANK_NONE), ADATOM_USAGE);
        ck_assert_msg(strstr(adatom_context_message(ctx), cases[i].sentence), "%s", adatom_context_message(ctx));
    }
    OK(choose("*.pool", 3, 0, AD_LOWRANK_NONE));
    end();
}
END_TEST

static int count(const ad_plan *plan, ad_segment_id segment, ad_op_kind kind) {
    int n = 0;
    for (int i = 0; i < plan->segments[segment].count; i++)
        n += plan->ops[plan->segments[segment].first + i].kind == kind;
    return n;
}

/* What is below the layers that adapt is in the prefix, forward, and has no backward pass. */
START_TEST(prefix) {
    static const int32_t chunks[] = {8};
    begin("resnet10", ADATOM_SHARING_NONE, 33, 4);
    for (int layers = 1; layers <= 9; layers++) {
        ad_built built;
        OK(choose(NULL, layers, NORM, AD_LOWRANK_NONE));
        const ad_build_params p = {.net = &net,
                                   .tasks = 2,
                                   .way = 3,
                                   .adapt = NORM,
                                   .layers = chosen,
                                   .support = 2,
                                   .query = 2,
                                   .query_rounds = 1,
                                   .steps = 3,
                                   .head = AD_HEAD_COSINE,
                                   .head_init = AD_HEAD_MEANS,
                                   .cosine_scale = 10,
                                   .data_size = 33,
                                   .chunks = chunks,
                                   .chunk_count = 1};
        OK(ad_build(ctx, &p, &built));
        int below = 0, adapted = 3 * net.features, live = 0; /* convolutions, numbers, norms that adapt */
        for (int i = 1; i < net.node_count; i++) {
            const ad_node *at = &net.nodes[i];
            const bool here = chosen[i] && at->gamma >= 0;
            if (here) adapted += 2 * at->o;
            live += here;
            below += at->kind == AD_NODE_CONV && live == 0;
        }
        ck_assert_int_eq(built.adapted_logical, adapted);
        const int step = count(built.plan, AD_SEGMENT_STEP, AD_OP_CONV), all = 9 + 3;
        ck_assert_int_le(step, all - below + 1); /* a convolution may stand before the first norm that adapts */
        ck_assert_int_ge(step, all - below - 1);
        ck_assert_int_lt(count(built.plan, AD_SEGMENT_STEP, AD_OP_CONV_DX), step + 1);
        ck_assert_int_ge(count(built.plan, AD_SEGMENT_PREFIX, AD_OP_CONV), below - 1);
        ck_assert_int_eq(count(built.plan, AD_SEGMENT_STEP, AD_OP_BN_BACK), live);
        for (int i = 0; i < net.param_count; i++)
            ck_assert_int_eq(built.at[i] != AD_NOT_ADAPTED,
                             net.params[i].role == AD_ROLE_NORM && ad_layers_have(&net, chosen, i));
        ad_built_clear(&built);
    }
    end();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("layer_choice");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, names);
    tcase_add_test(tests, last);
    tcase_add_test(tests, shared);
    tcase_add_test(tests, refusals);
    tcase_add_test(tests, prefix);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
