#include "io/safetensors.h"
#include "net/network.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "transfer/dense.h"
#include "transfer/factor.h"
#include "transfer/layout.h"
#include "transfer/linear_algebra.h"

#include <adatom/transfer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-transfer-XXXXXX", path[64], path2[64];

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    snprintf(path2, sizeof path2, "%s/b.json", folder);
}
static void teardown(void) {
    unlink(path);
    unlink(path2);
    rmdir(folder);
    adatom_context_destroy(&ctx);
}

static void refused(adatom_status status, adatom_status expected, const char *text) {
    ck_assert_int_eq(status, expected);
    ck_assert_msg(strstr(adatom_context_message(ctx), text) != NULL, "no '%s' in: %s", text,
                  adatom_context_message(ctx));
}

/* A dense network whose norms do something. */
static adatom_model *dense(const char *arch, int size, int width, int classes) {
    adatom_model *model = NULL;
    OK(adatom_model_create(ctx,
                           &(adatom_model_params){.size = sizeof(adatom_model_params),
                                                  .arch = arch,
                                                  .sharing = ADATOM_SHARING_NONE,
                                                  .image_size = size,
                                                  .width = width,
                                                  .classes = classes,
                                                  .seed = 3},
                           &model));
    ad_random random = ad_random_make(9, AD_STREAM_CHECK, 0);
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        const bool shift = p->role == AD_ROLE_NORM || p->role == AD_ROLE_STATISTICS || p->role == AD_ROLE_HEAD;
        for (size_t e = 0; shift && e < p->count; e++) model->values[p->offset + e] += ad_random_uniform(&random);
    }
    ad_model_rehash(model);
    return model;
}

static adatom_model *decomposed(const adatom_model *model, const char *sharing, int atoms, bool residual) {
    adatom_model *out = NULL;
    OK(adatom_model_decompose(model,
                              &(adatom_decompose_params){.size = sizeof(adatom_decompose_params),
                                                         .sharing = sharing_of(sharing),
                                                         .atoms = atoms,
                                                         .residual = residual},
                              &out));
    return out;
}

/* ---- decomposition ---- */

START_TEST(test_singular_values_say_what_is_lost) {
    adatom_model *model = dense("conv4", 16, 8, 0);
    double before = 1;
    for (int m = 1; m <= 9; m++) {
        adatom_model *d = decomposed(model, "layer", m, false);
        adatom_model_info info = ADATOM_INIT(adatom_model_info);
        adatom_model_describe(d, &info);
        ck_assert_int_eq(info.atoms, m);
        for (int l = 0; l < info.layers; l++) {
            adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
            OK(adatom_model_layer(d, l, &layer));
            if (strcmp(layer.kind, "conv") != 0 || layer.atoms == 0) continue;
            float s[9];
            size_t count;
            double error, all = 0, rest = 0;
            OK(adatom_model_singular_values(model, l, s, 9, &count));
            ck_assert_uint_eq(count, 9);
            for (int i = 0; i < 9; i++) {
                all += (double)s[i] * (double)s[i];
                rest += i >= m ? (double)s[i] * (double)s[i] : 0;
            }
            for (int i = 1; i < 9; i++) ck_assert(s[i] <= s[i - 1] && s[i] > 0);
            OK(adatom_model_distance(model, d, l, &error));
            ck_assert_double_eq_tol(error, sqrt(rest / all), 1e-5);
            if (m == 9) ck_assert_double_lt(error, 1e-6); /* float32 */
        }
        double error = 0;
        OK(adatom_model_distance(model, d, 3, &error)); /* layer 2 */
        ck_assert_double_lt(error, before);
        before = error;
        adatom_model_destroy(&d);
    }
    adatom_model_destroy(&model);
}
END_TEST

/* Everything that is no kernel is the same in both, found by name. */
static void same_rest(const adatom_model *a, const adatom_model *b) {
    for (int i = 0; i < a->net.param_count; i++) {
        const ad_param *p = &a->net.params[i];
        if (p->kind == AD_PARAM_KERNEL) continue;
        int j = 0;
        while (j < b->net.param_count && strcmp(b->net.params[j].name, p->name) != 0) j++;
        ck_assert_int_lt(j, b->net.param_count);
        ck_assert_mem_eq(a->values + p->offset, b->values + b->net.params[j].offset, p->count * sizeof(float));
    }
}

START_TEST(test_residual_starts_as_the_dense_network) {
    static const struct {
        const char *arch, *sharing;
        int atoms;
    } cases[] = {{"conv4", "layer", 8}, {"conv4", "net", 12}, {"resnet10", "stage", 8}, {"resnet10", "layer", 40}};
    adatom_model *model = dense(cases[_i].arch, 33, 4, 5);
    model->mean[0] = 0.25f;
    model->resize = 40;
    model->interpolation = ADATOM_INTERPOLATION_BICUBIC;
    adatom_model *d = decomposed(model, cases[_i].sharing, cases[_i].atoms, true);
    ck_assert(d->net.made_from.residual && d->mean[0] == 0.25f && d->resize == 40);
    ck_assert_int_eq(d->interpolation, ADATOM_INTERPOLATION_BICUBIC);
    same_rest(model, d);
    for (int i = 0; i < d->net.node_count; i++) {
        const ad_node *node = &d->net.nodes[i];
        double error = 1;
        if (node->kind != AD_NODE_CONV) continue;
        OK(adatom_model_distance(model, d, i - 1, &error));
        ck_assert_double_eq(error, 0); /* not only to rounding: the kernels are the same bytes */
        if (node->m == 0) continue;
        /* Coefficients: orthogonal columns with a mean square of 1/m, where that many directions are. */
        const ad_param *p = &d->net.params[node->coefficients];
        const size_t o = (size_t)p->o, m = (size_t)p->m;
        if (strcmp(cases[_i].sharing, "layer") != 0 || p->o * p->c < p->m) continue;
        for (size_t a = 0; a < m; a++)
            for (size_t b = 0; b <= a; b++) {
                double product = 0;
                for (int c = 0; c < p->c; c++)
                    for (size_t k = 0; k < o; k++)
                        product += (double)d->values[p->offset + ((size_t)c * m + a) * o + k] *
                                   (double)d->values[p->offset + ((size_t)c * m + b) * o + k];
                ck_assert_double_eq_tol(product, a == b ? (double)(p->o * p->c) / p->m : 0, 1e-4 * p->o * p->c);
            }
    }
    adatom_model_destroy(&d);
    adatom_model_destroy(&model);
}
END_TEST

static void fill(double *values, size_t count, uint32_t index) {
    ad_random random = ad_random_make(4, AD_STREAM_CHECK, index);
    for (size_t i = 0; i < count; i++) values[i] = (double)ad_random_normal(&random);
}

/* Layers of different sizes, sharing coefficients. */
static ad_fit make_fit(int count, int m, bool equal) {
    static const int sizes[4][2] = {{12, 8}, {8, 8}, {16, 4}, {6, 10}};
    ad_fit fit = {.ctx = ctx, .count = count, .m = m, .layers = calloc((size_t)count, sizeof *fit.layers)};
    for (int l = 0; l < count; l++) {
        ad_fit_layer *layer = &fit.layers[l];
        *layer = (ad_fit_layer){.o = equal ? 12 : sizes[l][0], .c = equal ? 8 : sizes[l][1], .k2 = 9};
        layer->w = calloc((size_t)(layer->o * layer->c * 9), sizeof(double));
        layer->psi = calloc((size_t)(m * 9), sizeof(double));
        fill(layer->w, (size_t)(layer->o * layer->c * 9), (uint32_t)l);
        fit.o = AD_MAX(fit.o, layer->o);
        fit.c = AD_MAX(fit.c, layer->c);
    }
    fit.alpha = calloc((size_t)(fit.o * fit.c * m), sizeof(double));
    return fit;
}
static void free_fit(ad_fit *fit) {
    for (int l = 0; l < fit->count; l++) {
        free(fit->layers[l].w);
        free(fit->layers[l].psi);
    }
    free(fit->layers);
    free(fit->alpha);
}

START_TEST(test_alternating_least_squares) {
    const int m = 1 + 3 * _i;
    ad_fit fit = make_fit(4, m, false);
    OK(ad_fit_start(&fit, 1));
    OK(ad_fit_atoms(&fit));
    double before = ad_fit_error(&fit), first = before;
    for (int i = 0; i < 30; i++) {
        OK(ad_fit_coefficients(&fit));
        const double between = ad_fit_error(&fit);
        ck_assert_double_le(between, before * (1 + 1e-9));
        OK(ad_fit_atoms(&fit));
        before = ad_fit_error(&fit);
        ck_assert_double_le(before, between * (1 + 1e-9));
    }
    ck_assert_double_lt(before, 0.999 * first);
    ad_fit_normalise(&fit);
    ck_assert_double_eq_tol(ad_fit_error(&fit), before, 1e-9 * before);
    /* A minimum over the atoms: moving any of them makes it worse. */
    for (int e = 0; e < m * 9; e++)
        for (int side = -1; side <= 1; side += 2) {
            fit.layers[2].psi[e] += 1e-3 * side;
            ck_assert_double_gt(ad_fit_error(&fit), before);
            fit.layers[2].psi[e] -= 1e-3 * side;
        }
    free_fit(&fit);
}
END_TEST

/* Layers of one size: the start is the best there is, the truncated SVD of the kernels side by side. */
START_TEST(test_equal_layers_share_singular_vectors) {
    ad_fit fit = make_fit(3, 5, true);
    double joined[12 * 8 * 27], s[27], rest = 0;
    for (int pair = 0; pair < 96; pair++)
        for (int e = 0; e < 27; e++) joined[pair * 27 + e] = fit.layers[e / 9].w[pair * 9 + e % 9];
    OK(ad_svd(ctx, joined, 96, 27, false, s));
    for (int i = 5; i < 27; i++) rest += s[i] * s[i];
    OK(ad_fit_start(&fit, 1));
    OK(ad_fit_atoms(&fit));
    ck_assert_double_eq_tol(ad_fit_error(&fit), rest, 1e-9 * rest);
    OK(ad_fit_coefficients(&fit));
    ck_assert_double_eq_tol(ad_fit_error(&fit), rest, 1e-9 * rest);
    free_fit(&fit);
}
END_TEST

START_TEST(test_shared_decomposition) {
    adatom_model *model = dense("resnet10", 33, 4, 3);
    double last = 1;
    for (int m = 1; m <= 9; m += 4) {
        adatom_model *d = decomposed(model, "net", m, false);
        double sum = 0, error;
        same_rest(model, d);
        for (int i = 0; i < d->net.node_count; i++) {
            if (d->net.nodes[i].kind != AD_NODE_CONV) continue;
            OK(adatom_model_distance(model, d, i - 1, &error));
            if (d->net.nodes[i].m == 0)
                ck_assert_double_eq(error, 0);
            else
                sum += error * error;
        }
        ck_assert_double_lt(sum, last * 8);
        last = sum / 8;
        adatom_model_destroy(&d);
    }
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_decompose_refuses) {
    adatom_model *model = dense("conv4", 16, 4, 0), *out = model;
    refused(adatom_model_decompose(
                model, &(adatom_decompose_params){.size = sizeof(adatom_decompose_params), .atoms = 10}, &out),
            ADATOM_USAGE, "10 atoms are more than the 3 x 3 kernels");
    ck_assert_ptr_null(out);
    refused(adatom_model_decompose(
                model,
                &(adatom_decompose_params){.size = sizeof(adatom_decompose_params), .sharing = ADATOM_SHARING_NONE},
                &out),
            ADATOM_USAGE, "known: layer, stage, net");
    refused(adatom_model_decompose(
                model,
                &(adatom_decompose_params){.size = sizeof(adatom_decompose_params), .sharing = (adatom_sharing)8},
                &out),
            ADATOM_USAGE, "sharing number 8 is not known");
    size_t count;
    refused(adatom_model_singular_values(model, 1, NULL, 0, &count), ADATOM_USAGE, "is no convolution");
    refused(adatom_model_singular_values(model, 99, NULL, 0, &count), ADATOM_USAGE, "no layer 99");
    float one;
    count = 7;
    refused(adatom_model_kernel(model, 1000, NULL, 0, &count), ADATOM_USAGE, "no layer 1000");
    ck_assert_uint_eq(count, 0);
    refused(adatom_model_kernel(model, 0, &one, 1, &count), ADATOM_USAGE, "there is room for 1");
    adatom_model_destroy(&model);
}
END_TEST

/* ---- import and export ---- */

static const struct {
    const char *arch, *layout, *tensor;
    int size;
} trips[] = {
    {"resnet18", "torchvision", "layer2.0.downsample.1.running_var", 33},
    {"resnet34", "timm", "layer3.5.bn2.weight", 33},
    {"vgg16_bn", "torchvision", "features.40.weight", 32},
    {"conv4", "closerlook", "trunk.3.trunk.1.num_batches_tracked", 32},
    {"conv6", "closerlook", "trunk.5.BN.bias", 20},
    {"resnet10", "closerlook", "trunk.7.BNshortcut.weight", 33},
    {"resnet12", "rfs", "layer4.0.downsample.0.weight", 16},
};

START_TEST(test_round_trip) {
    adatom_model *model = dense(trips[_i].arch, trips[_i].size, 4, 3), *again = NULL;
    OK(adatom_model_export(
        model, path,
        &(adatom_export_params){.size = sizeof(adatom_export_params), .layout = layout_of(trips[_i].layout)}));
    char *bytes;
    size_t size;
    ad_safetensors file;
    OK(ad_read_file(ctx, path, 1 << 26, &bytes, &size));
    OK(ad_safetensors_parse(ctx, "x", bytes, size, &file));
    ck_assert_ptr_nonnull(ad_safetensors_find(&file, trips[_i].tensor));
    ad_safetensors_clear(&file);
    ad_free(bytes);
    OK(adatom_model_import(
        ctx, path,
        &(adatom_import_params){.size = sizeof(adatom_import_params), .image_size = trips[_i].size, .resize = 50},
        &again));
    ck_assert_str_eq(again->net.arch, trips[_i].arch);
    ck_assert_int_eq(again->resize, 50);
    ck_assert_int_eq(again->net.way, 3);
    ck_assert_mem_eq(model->values, again->values, model->net.role_begin[AD_ROLE_COUNT] * sizeof(float));
    /* Which layout it came from is kept in the file and through decomposition. */
    adatom_model *residual = decomposed(again, "layer", 4, true);
    OK(adatom_model_save(residual, path));
    adatom_model_destroy(&residual);
    OK(adatom_model_load(ctx, path, &residual));
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(residual, &info);
    ck_assert_str_eq(info.layout,
                     strcmp(trips[_i].layout, "timm") ? trips[_i].layout : "torchvision"); /* the same names */
    ck_assert_int_eq(info.resize, 50);
    OK(adatom_model_export(residual, path, NULL));
    adatom_model_destroy(&again);
    OK(adatom_model_import(
        ctx, path,
        &(adatom_import_params){.size = sizeof(adatom_import_params), .image_size = trips[_i].size, .resize = 50},
        &again));
    ck_assert_mem_eq(model->values, again->values, model->net.role_begin[AD_ROLE_COUNT] * sizeof(float));
    adatom_model_destroy(&again);
    adatom_model_destroy(&residual);
    adatom_model_destroy(&model);
}
END_TEST

/* The exported conv4 with its JSON header changed: from becomes to, of the same length. */
static adatom_status import_edited(const char *from, const char *to, const adatom_import_params *params) {
    adatom_model *model = dense("conv4", 16, 4, 2), *out = model;
    OK(adatom_model_export(model, path, NULL));
    adatom_model_destroy(&model);
    char *bytes;
    size_t size;
    OK(ad_read_file(ctx, path, 1 << 26, &bytes, &size));
    ck_assert_uint_eq(strlen(from), strlen(to));
    bool found = false;
    for (size_t i = 0; i + strlen(from) < size; i++) {
        if (memcmp(bytes + i, from, strlen(from)) != 0) continue;
        memcpy(bytes + i, to, strlen(to));
        found = true;
    }
    ck_assert(found);
    adatom_status status = adatom_model_import_bytes(ctx, "x", bytes, size, params, &out);
    ad_free(bytes);
    if (status != ADATOM_OK) ck_assert_ptr_null(out);
    adatom_model_destroy(&out);
    return status;
}

static void write_map(const char *text) { OK(ad_write_file(ctx, path2, text, strlen(text))); }

/* What is known is what the tables say: every network and layout that import tries. */
START_TEST(test_known_sources) {
    adatom_import_source_info info = ADATOM_INIT(adatom_import_source_info);
    const char *holds = NULL;
    size_t found = 0;
    for (size_t i = 0; i < adatom_import_sources(); i++) {
        OK(adatom_import_source(ctx, i, &info));
        ck_assert(layout_of(info.layout) != ADATOM_LAYOUT_AUTO && strstr(info.project, "https://") == info.project);
        for (size_t t = 0; t < AD_COUNT(trips); t++)
            found += strcmp(trips[t].arch, info.arch) == 0 && strcmp(trips[t].layout, info.layout) == 0;
    }
    ck_assert_uint_eq(found, AD_COUNT(trips));
    refused(adatom_import_source(ctx, adatom_import_sources(), &info), ADATOM_USAGE, "there is no source");
    adatom_import_preparation_info way = ADATOM_INIT(adatom_import_preparation_info);
    OK(adatom_import_preparation(ctx, 0, 0, &way));
    ck_assert(strcmp(way.weights, "v1") == 0 && way.image_size == 224 && way.resize == 256);
    refused(adatom_import_preparation(ctx, 0, 1, &way), ADATOM_USAGE,
            "no preparation 1 of torchvision's resnet18; 1 are known");
    refused(adatom_import_preparation(ctx, adatom_import_sources(), 0, &way), ADATOM_USAGE, "there is no source");
    ck_assert_str_eq(adatom_import_format(0, &holds), "safetensors");
    ck_assert_ptr_nonnull(strstr(holds, "BF16"));
    ck_assert(adatom_import_format(2, NULL) && !adatom_import_format(3, NULL));
    ck_assert_str_eq(adatom_import_wrapper(0), "state_dict_ema");
    ck_assert_str_eq(adatom_import_prefix(0), "module.");
    ck_assert(!adatom_import_wrapper(1000) && !adatom_import_prefix(1000));
}
END_TEST

START_TEST(test_import_says_what_is_wrong) {
    const adatom_import_params size = {.size = sizeof(adatom_import_params), .image_size = 16},
                               map = {.size = sizeof map, .image_size = 16, .map = path2};
    OK(import_edited("trunk", "trunk", &size));
    refused(import_edited("\"trunk.2.BN.bias\"", "\"trunk.2.BN.Bias\"", &size), ADATOM_BAD_DATA,
            "1 tensors are missing: 'trunk.2.BN.bias'; and 1 are left over: 'trunk.2.BN.Bias'");
    refused(import_edited("\"trunk.2.BN.bias\"", "\"trunk.2.trunk.9\"", &size), ADATOM_BAD_DATA, "'trunk.2.BN.bias'");
    refused(import_edited("\"trunk.0.C.weight\":{\"dtype\":\"F32\",\"shape\":[4,3,3,3]",
                          "\"trunk.0.C.weight\":{\"dtype\":\"F32\",\"shape\":[4,9,3,1]", &size),
            ADATOM_BAD_DATA, "tensor 'trunk.0.C.weight' has the shape [4, 9, 3, 1]; [4, 3, 3, 3] was expected");
    refused(import_edited("\"dtype\":\"I64\"", "\"dtype\":\"U64\"", &size), ADATOM_BAD_DATA,
            "has the type U64; F32, F16, BF16, F64, I64 or I32 was expected");
    refused(import_edited("trunk.", "lower.", &size), ADATOM_BAD_DATA, "none of its");
    refused(import_edited("trunk", "trunk",
                          &(adatom_import_params){.size = sizeof(adatom_import_params), .arch = "resnet34"}),
            ADATOM_BAD_DATA, "read as resnet34 of closerlook");
    refused(import_edited("trunk", "trunk",
                          &(adatom_import_params){.size = sizeof(adatom_import_params), .arch = "alexnet"}),
            ADATOM_USAGE, "no layout 'auto' of a network 'alexnet'");
    refused(import_edited("trunk", "trunk",
                          &(adatom_import_params){.size = sizeof(adatom_import_params), .image_size = 16, .resize = 8}),
            ADATOM_USAGE, "cannot be scaled to 8");
    refused(import_edited(
                "trunk", "trunk",
                &(adatom_import_params){.size = sizeof(adatom_import_params), .image_size = 16, .std = {1, 1, 0}}),
            ADATOM_USAGE, "impossible");
    refused(import_edited("trunk", "trunk",
                          &(adatom_import_params){
                              .size = sizeof(adatom_import_params), .image_size = 16, .resize = 100, .crop = 0.5f}),
            ADATOM_USAGE, "exclude each other");
    refused(
        import_edited("trunk", "trunk",
                      &(adatom_import_params){.size = sizeof(adatom_import_params), .image_size = 16, .crop = 1.5f}),
        ADATOM_USAGE, "a crop of 1.5");
    refused(
        import_edited("trunk", "trunk", &(adatom_import_params){.size = sizeof(adatom_import_params), .weights = "v1"}),
        ADATOM_USAGE, "no weights 'v1' of closerlook's conv4 are known");
    refused(import_edited("trunk", "trunk",
                          &(adatom_import_params){.size = sizeof(adatom_import_params),
                                                  .image_size = 16,
                                                  .interpolation = (adatom_interpolation)99}),
            ADATOM_USAGE, "interpolation");
    /* Maps. */
    write_map("{\"trunk.2.BN.Bias\": \"layer3.norm.bias\"}");
    OK(import_edited("\"trunk.2.BN.bias\"", "\"trunk.2.BN.Bias\"", &map));
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "missing: 'trunk.2.BN.Bias'");
    write_map("{\"classifier.*\": null}");
    OK(import_edited("trunk", "trunk", &map));
    write_map("{\"classifier.weight\": null}"); /* half a head */
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "left over: 'classifier.bias'");
    write_map("{\"a\": \"layer9.kernel\"}");
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "the network has no such tensor");
    write_map("{\"a*\": \"layer1.kernel\"}");
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "must be given null");
    write_map("[1]");
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "not a JSON object");
    write_map("{");
    refused(import_edited("trunk", "trunk", &map), ADATOM_BAD_DATA, "line 1: the map is not valid JSON");
    /* Files that are no safetensors. */
    adatom_model *out;
    refused(adatom_model_import_bytes(ctx, "x.pth", "PK\3\4............", 16, NULL, &out), ADATOM_BAD_DATA,
            "damaged zip archive");
    refused(adatom_model_import_bytes(ctx, "x.pth", "\x80\2\x8a\nl\xfc\x9c\x46\xf9 ......", 16, NULL, &out),
            ADATOM_BAD_DATA, "a pickle that torch.save did not write");
    refused(adatom_model_import_bytes(ctx, "x", "<html>..........", 16, NULL, &out), ADATOM_BAD_DATA,
            "neither safetensors nor a file of torch.save, but an HTML page");
    refused(adatom_model_import(ctx, "/nowhere/x", NULL, &out), ADATOM_BAD_DATA, "/nowhere/x");
    adatom_model *model = dense("conv4", 16, 4, 0);
    OK(adatom_model_save(model, path));
    refused(adatom_model_import(ctx, path, NULL, &out), ADATOM_BAD_DATA, "a model of this program already");
    refused(
        adatom_model_export(model, path,
                            &(adatom_export_params){.size = sizeof(adatom_export_params), .layout = ADATOM_LAYOUT_RFS}),
        ADATOM_USAGE, "'rfs' has no names for conv4");
    adatom_model_destroy(&model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("transfer");
    TCase *decompose = tcase_create("decompose"), *names = tcase_create("names");
    tcase_add_checked_fixture(decompose, setup, teardown);
    tcase_add_checked_fixture(names, setup, teardown);
    tcase_set_timeout(decompose, 120);
    tcase_set_timeout(names, 120);
    tcase_add_test(decompose, test_singular_values_say_what_is_lost);
    tcase_add_loop_test(decompose, test_residual_starts_as_the_dense_network, 0, 4);
    tcase_add_loop_test(decompose, test_alternating_least_squares, 0, 3);
    tcase_add_test(decompose, test_equal_layers_share_singular_vectors);
    tcase_add_test(decompose, test_shared_decomposition);
    tcase_add_test(decompose, test_decompose_refuses);
    tcase_add_loop_test(names, test_round_trip, 0, AD_COUNT(trips));
    tcase_add_test(names, test_known_sources);
    tcase_add_test(names, test_import_says_what_is_wrong);
    suite_add_tcase(suite, decompose);
    suite_add_tcase(suite, names);
    return run_suite(suite, CK_FORK_GETENV);
}
