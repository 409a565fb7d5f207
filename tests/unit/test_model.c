#include "io/safetensors.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "tests/unit/model_variants.h"
#include "tests/support/hooks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;

static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static adatom_model *create(adatom_model_params params) {
    adatom_model *model = NULL;
    params.size = sizeof params;
    ck_assert_msg(adatom_model_create(ctx, &params, &model) == ADATOM_OK, "%s", adatom_context_message(ctx));
    return model;
}

/* ---- counts ---- */

/* All numbers but statistics; the classifier counts where the model has one. Batch norm: 2 numbers a channel.
 *
 * ResNet-18: 16 3x3 convolutions in stages of 64, 128, 256, 512 channels: 4 of 64x64, then 64x128 and 3 of 128x128,
 * 128x256 and 3 of 256x256, 256x512 and 3 of 512x512: 1 220 608 pairs of channels (x 9 = 10 985 472). Shortcuts: 64*128
 * + 128*256 + 256*512 = 172 032. Norms: 2 * (5*64 + 5*128 + 5*256 + 5*512) = 9600. 3x3 stem: 3*64*9 = 1728, 7x7:
 * 3*64*49 = 9408. Classifier: 512*10 + 10 = 5130. Without the 3x3 convolutions, 32x32 pictures: 172 032 + 9600 + 1728 +
 * 5130 = 188 490. Atoms, m = 8: 16 * 8*9 = 1152. ResNet-10: 2 of 64x64, 64x128 + 128x128, 128x256 + 256x256, 256x512 +
 * 512x512: 524 288 pairs; norms 2 * (3*64 + 3*(128+256+512)) = 5760. Conv-4: 3 of 64x64 = 12 288 pairs; 3*64*9 = 1728;
 * norms 2*4*64 = 512. */
static const struct count {
    const char *arch, *sharing, *stem;
    int atoms, classes;
    uint64_t total, own_atoms;
    int group;
} counts[] = {
    {"resnet18", "none", "3x3", 0, 10, 10985472 + 188490, 0, 0},               /* 11.174 M */
    {"resnet18", "layer", "3x3", 8, 10, 8 * 1220608 + 1152 + 188490, 1152, 0}, /* 9.955 M */
    {"resnet18", "stage", "3x3", 8, 10, 8 * (64 * 64 + 128 * 128 + 256 * 256 + 512 * 512) + 1152 + 188490, 1152,
     0},                                                                                    /* 2.975 M */
    {"resnet18", "net", "3x3", 8, 10, 8 * 512 * 512 + 1152 + 188490, 1152, 0},              /* 2.287 M */
    {"resnet18", "net", "3x3", 16, 10, 16 * 512 * 512 + 2304 + 188490, 2304, 0},            /* 4.385 M */
    {"resnet18", "none", NULL, 0, 0, 10985472 + 172032 + 9600 + 9408, 0, 0},                /* 11.177 M */
    {"resnet18", "net", NULL, 8, 0, 8 * 512 * 512 + 1152 + 172032 + 9600 + 9408, 1152, 0},  /* 2.289 M */
    {"resnet10", "none", NULL, 0, 0, 9 * 524288 + 172032 + 5760 + 9408, 0, 0},              /* 4.906 M */
    {"resnet10", "net", NULL, 8, 0, 8 * 512 * 512 + 8 * 72 + 172032 + 5760 + 9408, 576, 0}, /* 2.285 M */
    {"conv4", "none", NULL, 0, 0, 9 * 12288 + 1728 + 512, 0, 0},                            /* 0.113 M */
    {"conv4", "net", NULL, 8, 0, 8 * 64 * 64 + 3 * 72 + 1728 + 512, 216, 0},                /* 0.035 M */
    /* Widths 64, 160, 320, 640 (Tian et al. 2020 give 12.42 M): 3x3 pairs 3*64 + 2*64^2 + 64*160 + 2*160^2 + 160*320 +
     * 2*320^2 + 320*640 + 2*640^2 = 1 349 824; shortcuts 3*64 + 64*160 + 160*320 + 320*640 = 266 432; norms
     * 2*4*(64+160+320+640) = 9472. */
    {"resnet12", "none", NULL, 0, 0, 9 * 1349824 + 266432 + 9472, 0, 0},
    {"resnet12", "net", NULL, 8, 0, 8 * 640 * 640 + 11 * 72 + 1728 + 266432 + 9472, 792, 0},
    /* ResNet-34: 6 of 64x64; 64x128, 7 of 128x128; 128x256, 11 of 256x256; 256x512, 5 of 512x512: 2 342 912 pairs;
     * norms 2 * (7*64 + 9*128
     * + 13*256 + 7*512) = 17 024. */
    {"resnet34", "none", NULL, 0, 10, 9 * 2342912 + 172032 + 17024 + 9408 + 5130, 0, 0},
    /* VGG-16: 64x64; 64x128, 128x128; 128x256, 2 of 256x256; 256x512, 5 of 512x512: 1 634 304 pairs after the first
     * 3*64*9 = 1728; norms 2
     * * (2*64 + 2*128 + 3*256 + 6*512) = 8448. */
    {"vgg16_bn", "none", NULL, 0, 10, 9 * 1634304 + 1728 + 8448 + 5130, 0, 0},                  /* 14.724 M */
    {"vgg16_bn", "net", NULL, 8, 10, 8 * 512 * 512 + 12 * 72 + 1728 + 8448 + 5130, 864, 0},     /* 2.113 M */
    {"vgg16_bn", "net", NULL, 16, 10, 16 * 512 * 512 + 12 * 144 + 1728 + 8448 + 5130, 1728, 0}, /* 4.211 M */
    /* Groups of s channels: m s s numbers for each that shares, and m k^2 atoms for each pair of groups. ResNet-18 with
     * s = 64: 4 of 1x1 pairs; 1x2 and 3 of 2x2; 2x4 and 3 of 4x4; 4x8 and 3 of 8x8: 298; with s = 32 four times as
     * many. ResNet-12 and its widths have 32 in common: 2 of 2x2; 2x5, 2 of 5x5; 5x10, 2 of 10x10; 10x20, 2 of 20x20:
     * 1318. */
    {"resnet18", "group-net", "3x3", 16, 10, 16 * 64 * 64 + 144 * 298 + 188490, 144 * 298, 64},          /* 0.297 M */
    {"resnet18", "group-stage", "3x3", 16, 10, 4 * 16 * 64 * 64 + 144 * 298 + 188490, 144 * 298, 64},    /* 0.494 M */
    {"resnet18", "group-layer", "3x3", 16, 10, 16 * 16 * 32 * 32 + 144 * 1192 + 188490, 144 * 1192, 32}, /* 0.622 M */
    {"resnet12", "group-net", NULL, 8, 0, 8 * 32 * 32 + 72 * 1318 + 1728 + 266432 + 9472, 72 * 1318, 0},
    {"conv4", "group-net", NULL, 8, 0, 8 * 64 * 64 + 3 * 72 + 1728 + 512, 216, 0},
    /* Conv-6: layers 5 and 6 share a stage, layers 2, 3 and 4 are each alone in theirs. */
    {"conv6", "stage", NULL, 8, 0, 4 * 8 * 64 * 64 + 5 * 72 + 1728 + 2 * 6 * 64, 360, 0},
};

START_TEST(test_parameter_counts) {
    const struct count *expected = &counts[_i];
    adatom_model *model = create((adatom_model_params){.arch = expected->arch,
                                                       .sharing = sharing_of(expected->sharing),
                                                       .stem = stem_of(expected->stem),
                                                       .atoms = expected->atoms,
                                                       .group = expected->group,
                                                       .classes = expected->classes,
                                                       .image_size = expected->stem ? 32 : 84});
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &info);
    ck_assert_uint_eq(info.parameters + info.head_parameters, expected->total);
    ck_assert_uint_eq(info.atoms_parameters, expected->own_atoms);
    ck_assert_uint_eq(info.head_parameters, 513 * (uint64_t)expected->classes);
    ck_assert_int_eq(info.atoms, expected->atoms);
    ck_assert_uint_eq(info.parameters, info.atoms_parameters + info.norm_parameters + info.coefficients_parameters +
                                           info.ordinary_parameters);
    /* What the layers own and what they share make up the whole. */
    uint64_t sum = strcmp(ad_network_scope(&model->net), "layer") != 0 ? info.coefficients_parameters : 0, macs = 0;
    for (int l = 0; l < info.layers; l++) {
        adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
        ck_assert_int_eq(adatom_model_layer(model, l, &layer), ADATOM_OK);
        sum += layer.own_parameters;
        macs += layer.macs;
    }
    ck_assert_uint_eq(sum, expected->total);
    ck_assert_uint_eq(macs, info.macs);
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_defaults) {
    adatom_model *model = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    ck_assert_int_eq(adatom_model_create(ctx, NULL, &model), ADATOM_OK);
    adatom_model_describe(model, &info);
    ck_assert_str_eq(info.arch, "conv4");
    ck_assert_int_eq(info.sharing, ADATOM_SHARING_NET);
    ck_assert(info.atoms == 8 && info.image_size == 84 && info.features == 1600 && info.classes == 0 &&
              info.layers == 12);
    ck_assert_float_eq(info.mean[0], 0.485f);
    ck_assert_float_eq(info.std[2], 0.225f);
    adatom_model_destroy(&model);
    ck_assert_ptr_null(model);
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_features) {
    static const struct {
        const char *arch, *stem;
        int size, features;
    } expected[] = {{"conv6", NULL, 84, 1600},   {"conv4", NULL, 16, 64},      {"resnet10", NULL, 224, 512},
                    {"resnet18", NULL, 84, 512}, {"resnet18", "3x3", 32, 512}, {"resnet12", NULL, 84, 640},
                    {"resnet12", NULL, 16, 640}};
    for (size_t i = 0; i < AD_COUNT(expected); i++) {
        ad_network net;
        const adatom_model_params params = {
            .arch = expected[i].arch, .stem = stem_of(expected[i].stem), .image_size = expected[i].size};
        ck_assert_int_eq(ad_network_build(ctx, &params, &net), ADATOM_OK);
        ck_assert_int_eq(net.features, expected[i].features);
        ad_network_clear(&net);
    }
}
END_TEST

START_TEST(test_layers) {
    adatom_model *model = create((adatom_model_params){.classes = 64});
    adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
    ck_assert_int_eq(adatom_model_layer(model, 3, &layer), ADATOM_OK);
    ck_assert_str_eq(layer.name, "layer2.conv");
    ck_assert_str_eq(layer.kind, "conv");
    ck_assert_str_eq(layer.coefficients, "shared.coefficients");
    ck_assert(layer.in_height == 42 && layer.in_channels == 64 && layer.out_width == 42 && layer.out_channels == 64);
    ck_assert(layer.kernel == 3 && layer.stride == 1 && layer.padding == 1 && layer.dilation == 1 && layer.atoms == 8);
    ck_assert_uint_eq(layer.own_parameters, 72);
    ck_assert_uint_eq(layer.macs, 42 * 42 * 64 * 64 * 9); /* k^2 c c' a position: 65.0 M */
    ck_assert_uint_eq(layer.macs_coefficients_first, 42 * 42 * (8 * 64 * 64 + 8 * 9 * 64)); /* m c c' + m k^2 c' */
    ck_assert_int_eq(adatom_model_layer(model, 0, &layer), ADATOM_OK);
    ck_assert_int_eq(layer.in_channels, 3);
    ck_assert_uint_eq(layer.macs, 84 * 84 * 64 * 3 * 9);
    ck_assert_uint_eq(layer.macs_coefficients_first, 0);
    ck_assert_ptr_null(layer.coefficients);
    ck_assert_int_eq(adatom_model_layer(model, 12, &layer), ADATOM_OK);
    ck_assert_str_eq(layer.kind, "head");
    ck_assert_uint_eq(layer.macs, 1600 * 64);
    ck_assert_int_eq(adatom_model_layer(model, 13, &layer), ADATOM_USAGE);
    ck_assert_int_eq(adatom_model_layer(model, -1, &layer), ADATOM_USAGE);
    adatom_model_destroy(&model);
}
END_TEST

/* ---- structure ---- */

static void check_param(const ad_network *net, int number, ad_param_kind kind, int o, int c, bool exact) {
    ck_assert(number >= 0 && number < net->param_count);
    const ad_param *p = &net->params[number];
    ck_assert_int_eq(p->kind, kind);
    ck_assert(exact ? p->o == o && p->c == c : p->o >= o && p->c >= c);
}

START_TEST(test_nodes_fit_together) {
    ad_network net;
    ck_assert_int_eq(ad_network_build(ctx, &variants[_i], &net), ADATOM_OK);
    ck_assert(net.nodes[0].kind == AD_NODE_INPUT && net.nodes[0].o == 4 && net.nodes[0].oh == net.image_size);
    bool decomposed = false;
    for (int i = 1; i < net.node_count; i++) {
        const ad_node *node = &net.nodes[i], *input = &net.nodes[node->input];
        ck_assert(node->input >= 0 && node->input < i && node->residual < i);
        ck_assert(node->h == input->oh && node->w == input->ow && node->c == input->o && node->c % 4 == 0 &&
                  node->o % 4 == 0);
        ck_assert_int_eq(node->oh, (node->h + 2 * node->pad - node->dil * (node->k - 1) - 1) / node->stride + 1);
        ck_assert(node->oh >= 1 && node->ow == node->oh);
        if (node->kind == AD_NODE_CONV) {
            const int c = ad_node_channels(node);
            decomposed |= node->m > 0;
            ck_assert((node->m == 0 || net.made_from.residual) == (node->kernel >= 0) &&
                      (node->m > 0) == (node->atoms >= 0));
            if (node->kernel >= 0) check_param(&net, node->kernel, AD_PARAM_KERNEL, node->o, c, true);
            if (node->m > 0) {
                ck_assert_int_eq(node->m, net.made_from.atoms);
                ck_assert_int_gt(node->k, 1);
                const int group = net.made_from.group;
                ck_assert_int_eq(node->group, group);
                ck_assert((group > 0) == (strncmp(net.sharing, "group-", 6) == 0));
                ck_assert(group == 0 || (group % 4 == 0 && node->o % group == 0 && c % group == 0));
                check_param(&net, node->coefficients, AD_PARAM_COEFFICIENTS, group ? group : node->o, group ? group : c,
                            group || strcmp(net.sharing, "layer") == 0);
                check_param(&net, node->atoms, AD_PARAM_ATOMS, node->o, c, true);
            }
        }
        if (node->kind == AD_NODE_NORM) {
            check_param(&net, node->gamma, AD_PARAM_GAMMA, 0, node->c, true);
            check_param(&net, node->beta, AD_PARAM_BETA, 0, node->c, true);
            check_param(&net, node->statistics, AD_PARAM_STATISTICS, 0, node->c, true);
            if (node->residual >= 0) {
                const ad_node *residual = &net.nodes[node->residual];
                ck_assert(residual->oh == node->oh && residual->ow == node->ow && residual->o == node->o);
            }
        }
    }
    ck_assert(decomposed == (strcmp(net.sharing, "none") != 0));
    const ad_node *last = &net.nodes[net.node_count - 1];
    ck_assert_int_eq(net.features, last->oh * last->ow * last->o);
    ad_network_clear(&net);
}
END_TEST

START_TEST(test_arena_layout) {
    ad_network net;
    ck_assert_int_eq(ad_network_build(ctx, &variants[_i], &net), ADATOM_OK);
    size_t end = 0;
    for (int i = 0; i < net.param_count; i++) {
        const ad_param *p = &net.params[i];
        ck_assert(i == 0 || p->role >= net.params[i - 1].role);
        ck_assert(p->offset % 64 == 0 && p->offset >= end && p->offset < end + 64 && p->logical <= p->count);
        ck_assert(p->offset >= net.role_begin[p->role] && p->offset + p->count <= net.role_begin[p->role + 1]);
        end = p->offset + p->count;
        for (int j = 0; j < i; j++) ck_assert_str_ne(p->name, net.params[j].name);
    }
    ck_assert_uint_eq(net.role_begin[0], 0);
    for (int role = 0; role <= AD_ROLE_COUNT; role++) ck_assert_uint_eq(net.role_begin[role] % 64, 0);
    ck_assert_uint_eq(net.role_begin[AD_ROLE_COUNT], (end + 63) / 64 * 64);
    ad_network_clear(&net);
}
END_TEST

static void check_create_fails(adatom_model_params params, const char *says) {
    adatom_model *model = (adatom_model *)&params;
    params.size = sizeof params;
    ck_assert_int_eq(adatom_model_create(ctx, &params, &model), ADATOM_USAGE);
    ck_assert_ptr_null(model);
    ck_assert_msg(strstr(adatom_context_message(ctx), says) != NULL, "'%s' lacks '%s'", adatom_context_message(ctx),
                  says);
}

START_TEST(test_refused_params) {
    check_create_fails((adatom_model_params){.arch = "conv5"},
                       "unknown architecture 'conv5'; known: conv4, ");
    check_create_fails((adatom_model_params){.sharing = (adatom_sharing)8}, "sharing number 8 is not known");
    check_create_fails((adatom_model_params){.arch = "resnet18", .stem = (adatom_stem)3}, "stem number 3 is not known");
    check_create_fails((adatom_model_params){.stem = ADATOM_STEM_3X3}, "conv4 has no stem");
    check_create_fails((adatom_model_params){.atoms = 65}, "atoms is 65");
    check_create_fails((adatom_model_params){.atoms = -1}, "atoms is -1");
    check_create_fails((adatom_model_params){.width = 6}, "multiple of 4");
    check_create_fails((adatom_model_params){.width = -4}, "width is -4");
    check_create_fails((adatom_model_params){.classes = -1}, "classes is -1");
    check_create_fails((adatom_model_params){.image_size = 2000}, "image size is 2000");
    check_create_fails((adatom_model_params){.sharing = ADATOM_SHARING_GROUP_NET, .group = 6},
                       "size of groups is 6; it must be a multiple of 4");
    check_create_fails((adatom_model_params){.sharing = ADATOM_SHARING_GROUP_NET, .group = -4}, "size of groups is -4");
    check_create_fails((adatom_model_params){.sharing = ADATOM_SHARING_GROUP_NET, .group = 128},
                       "groups of 128 channels do not divide the 64 channels of layer2");
    check_create_fails((adatom_model_params){.arch = "resnet12", .sharing = ADATOM_SHARING_GROUP_STAGE, .group = 64},
                       "groups of 64 channels do not divide the 160 channels of layer4");
    check_create_fails((adatom_model_params){.sharing = ADATOM_SHARING_NET, .group = 8}, "sharing net has no groups");
    check_create_fails((adatom_model_params){.sharing = ADATOM_SHARING_GROUP_LAYER, .decompose_first = true},
                       "reads 3 channels, which make no groups");
    check_create_fails((adatom_model_params){.image_size = 15},
                       "too small for conv4: nothing would be left for layer4.pool");
}
END_TEST

/* ---- values ---- */

/* Mean near 0 and variance as expected, within five standard deviations of what n normal numbers give. */
static void check_normal(const adatom_model *model, const char *name, double variance) {
    const ad_param *p = &model->net.params[param_number(&model->net, name)];
    double sum = 0, squares = 0, n = (double)p->logical;
    for (size_t i = 0; i < p->count; i++) { /* padding is zero */
        const double v = (double)model->values[p->offset + i];
        sum += v;
        squares += v * v;
    }
    ck_assert_double_lt(fabs(sum / n), 5 * sqrt(variance / n));
    ck_assert_double_lt(fabs(squares / n / variance - 1), 5 * sqrt(2 / n));
}

START_TEST(test_initialisation) {
    adatom_model *model = create(
        (adatom_model_params){.arch = "resnet10", .seed = 3, .classes = 4, .atoms = 16, .decompose_first = false});
    const ad_network *net = &model->net;
    check_normal(model, "shared.coefficients", 1.0 / 16);
    check_normal(model, "layer1.kernel", 2.0 / (49 * 3));
    check_normal(model, "layer8.shortcut.kernel", 2.0 / 256);
    check_normal(model, "layer2.atoms", 2.0 / (9 * 64));  /* of the layer's own width, not of the shared tensor's: */
    check_normal(model, "layer8.atoms", 2.0 / (9 * 256)); /* so that every layer composes He-correct kernels */
    for (int i = 0; i < net->param_count; i++) {
        const ad_param *p = &net->params[i];
        for (size_t e = 0; e < p->count; e++) {
            const float value = model->values[p->offset + e];
            if (p->kind == AD_PARAM_GAMMA) ck_assert_float_eq(value, 1);
            if (p->kind == AD_PARAM_BETA || p->role == AD_ROLE_HEAD) ck_assert_float_eq(value, 0);
            if (p->kind == AD_PARAM_STATISTICS) ck_assert_float_eq(value, e < (size_t)p->c ? 0 : 1);
        }
    }
    adatom_model_info a = ADATOM_INIT(adatom_model_info), b = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &a);
    ad_model_initialise(model, 4);
    adatom_model_describe(model, &b);
    ck_assert_str_ne(a.hash, b.hash);
    ad_model_initialise(model, 3);
    adatom_model_describe(model, &b);
    ck_assert_str_eq(a.hash, b.hash);
    adatom_model_destroy(&model);
}
END_TEST

int main(void) {
    TCase *made = tcase_create("made");
    tcase_add_checked_fixture(made, setup, teardown);
    tcase_set_timeout(made, 120);
    tcase_add_loop_test(made, test_parameter_counts, 0, AD_COUNT(counts));
    tcase_add_test(made, test_defaults);
    tcase_add_test(made, test_features);
    tcase_add_test(made, test_layers);
    tcase_add_loop_test(made, test_nodes_fit_together, 0, AD_COUNT(variants));
    tcase_add_loop_test(made, test_arena_layout, 0, AD_COUNT(variants));
    tcase_add_test(made, test_refused_params);
    tcase_add_test(made, test_initialisation);
    Suite *suite = suite_create("model");
    suite_add_tcase(suite, made);
    return run_suite(suite, CK_FORK_GETENV);
}
