/* The files of models. */
#include "io/safetensors.h"
#include "net/network.h"
#include "tests/run_suite.h"
#include "tests/unit/model_variants.h"
#include "tests/support/hooks.h"
#include <adatom/transfer.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;

static adatom_model *create(adatom_model_params params) {
    adatom_model *model = NULL;
    params.size = sizeof params;
    ck_assert_msg(adatom_model_create(ctx, &params, &model) == ADATOM_OK, "%s", adatom_context_message(ctx));
    return model;
}

static char path[] = "/tmp/adatom-model-XXXXXX";

static void file_setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    make_file(path);
}

static void file_teardown(void) {
    unlink(path);
    adatom_context_destroy(&ctx);
}

/* Different everywhere, padding of the arena apart. */
static void number_values(adatom_model *model) {
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        for (int part = 0; part < ad_param_parts(p); part++)
            for (size_t e = 0; e < p->logical / (size_t)ad_param_parts(p); e++)
                model->values[p->offset + ad_param_at(p, part, e)] = (float)(1000 * i + 500 * part) + 0.25f * (float)e;
    }
    ad_model_rehash(model);
}

static void give_base_mean(adatom_model *model) {
    const size_t width = (size_t)model->net.features;
    model->base_mean = ad_malloc(ctx, width, sizeof *model->base_mean);
    for (size_t e = 0; e < width; e++) model->base_mean[e] = 0.5f * (float)e - 1;
}

START_TEST(test_round_trip) {
    adatom_model *model = create(variants[_i]), *again = NULL;
    model->notes = ad_strdup(ctx, "{\"seed\": 1}");
    model->mean[0] = 0.1f;
    model->std[1] = 3;
    model->resize = model->net.image_size + 5;
    if (_i % 2) model->interpolation = ADATOM_INTERPOLATION_BICUBIC;
    ad_model_rehash(model);
    const uint64_t without = model->hash;
    if (_i % 3 == 0) give_base_mean(model);
    ad_model_rehash(model);
    ck_assert_uint_eq(model->hash, without); /* features do not depend on it */
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    ck_assert_msg(adatom_model_load(ctx, path, &again) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_uint_eq(model->hash, again->hash);
    ck_assert_mem_eq(model->values, again->values, model->net.role_begin[AD_ROLE_COUNT] * sizeof(float));
    ck_assert_mem_eq(model->mean, again->mean, sizeof model->mean);
    ck_assert_mem_eq(model->std, again->std, sizeof model->std);
    ck_assert_int_eq(model->resize, again->resize);
    ck_assert_int_eq(model->interpolation, again->interpolation);
    ck_assert((again->base_mean != NULL) == (_i % 3 == 0));
    if (again->base_mean)
        ck_assert_mem_eq(again->base_mean, model->base_mean, (size_t)model->net.features * sizeof(float));
    ck_assert_str_eq(again->notes, "{\"seed\": 1}");
    ck_assert_int_eq(again->net.node_count, model->net.node_count);
    /* What it was made from can be passed on: pretraining does, where it starts from a model. */
    adatom_model *made = create(again->net.made_from);
    adatom_model_destroy(&made);
    ck_assert_uint_eq(again->net.made_from.size, sizeof(adatom_model_params));
    adatom_model_destroy(&model);
    adatom_model_destroy(&again);
}
END_TEST

/* The file's layouts are the field's: kernels [o][c][i][j], coefficients [o][c][m], atoms [m][i][j]. */
START_TEST(test_file_layout) {
    adatom_model *model = create((adatom_model_params){.width = 8, .image_size = 16, .atoms = 3});
    number_values(model);
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    char *bytes = NULL;
    size_t size = 0;
    ad_safetensors file;
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, &size), ADATOM_OK);
    ck_assert_int_eq(ad_safetensors_parse(ctx, path, bytes, size, &file), ADATOM_OK);
    const ad_network *net = &model->net;
    const float *kernel = model->values + net->params[param_number(net, "layer1.kernel")].offset;
    const float *alpha = model->values + net->params[param_number(net, "shared.coefficients")].offset;
    const float *psi = model->values + net->params[param_number(net, "layer3.atoms")].offset;
    const float *statistics = model->values + net->params[param_number(net, "layer2.norm")].offset;
    const ad_st_tensor *t = ad_safetensors_find(&file, "layer1.kernel");
    for (size_t o = 0; o < 8; o++)
        for (size_t c = 0; c < 4; c++)
            for (size_t ij = 0; ij < 9; ij++)
                ck_assert_float_eq(kernel[(ij * 4 + c) * 8 + o],
                                   c < 3 ? ad_safetensors_float(&file, t, (o * 3 + c) * 9 + ij) : 0);
    t = ad_safetensors_find(&file, "shared.coefficients");
    for (size_t o = 0; o < 8; o++)
        for (size_t c = 0; c < 8; c++)
            for (size_t m = 0; m < 3; m++)
                ck_assert_float_eq(alpha[(c * 3 + m) * 8 + o], ad_safetensors_float(&file, t, (o * 8 + c) * 3 + m));
    t = ad_safetensors_find(&file, "layer3.atoms");
    for (size_t i = 0; i < 27; i++) ck_assert_float_eq(psi[i], ad_safetensors_float(&file, t, i));
    for (size_t c = 0; c < 8; c++) {
        ck_assert_float_eq(statistics[c],
                           ad_safetensors_float(&file, ad_safetensors_find(&file, "layer2.norm.running_mean"), c));
        ck_assert_float_eq(statistics[8 + c],
                           ad_safetensors_float(&file, ad_safetensors_find(&file, "layer2.norm.running_var"), c));
    }
    ad_safetensors_clear(&file);
    ad_free(bytes);

    if (system("python3 -c 'import numpy, safetensors.numpy' 2>/dev/null") == 0) {
        char command[1024];
        snprintf(command, sizeof command,
                 "python3 -c 'import json, safetensors, sys\n"
                 "f = safetensors.safe_open(sys.argv[1], \"numpy\")\n"
                 "assert json.loads(f.metadata()[\"adatom\"])[\"arch\"] == \"conv4\"\n"
                 "assert f.get_tensor(\"layer1.kernel\")[5, 2, 1, 0] == %.9g\n"
                 "assert f.get_tensor(\"shared.coefficients\")[5, 2, 1] == %.9g\n"
                 "assert f.get_tensor(\"layer3.atoms\")[2, 1, 0] == %.9g\n"
                 "assert f.get_tensor(\"layer2.norm.running_var\")[7] == %.9g\n"
                 "' %s",
                 (double)kernel[(3 * 4 + 2) * 8 + 5], (double)alpha[(2 * 3 + 1) * 8 + 5], (double)psi[2 * 9 + 3],
                 (double)statistics[15], path);
        ck_assert_int_eq(system(command), 0);
    }
    adatom_model_destroy(&model);
}
END_TEST

static const adatom_model_params small = {.size = sizeof small, .width = 4, .image_size = 16, .atoms = 2, .classes = 2};

static char *small_file(size_t *size) {
    adatom_model *model = create(small);
    model->notes = ad_strdup(ctx, "{\"by\":\"x\"}");
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    adatom_model_destroy(&model);
    char *bytes = NULL;
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, size), ADATOM_OK);
    return bytes;
}

static void check_refused(const char *bytes, size_t size, const char *says) {
    adatom_model *model = NULL;
    ck_assert_int_eq(adatom_model_parse(ctx, "m.safetensors", bytes, size, &model), ADATOM_BAD_DATA);
    ck_assert_ptr_null(model);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "'m.safetensors'") && strstr(message, says), "'%s' lacks '%s'", message, says);
}

/* One edit of a good file's header, of the same length, and a part of the sentence that refuses it. */
static const struct {
    const char *from, *to, *says;
} edits[] = {
    {"\"layer2.atoms\"", "\"layer9.atoms\"", "tensor 'layer2.atoms' of shape [2, 3, 3] is missing"},
    {"\"head.bias\":{\"dtype\":\"F32\",\"shape\":[2]", "\"head.bias\":{\"dtype\":\"F16\",\"shape\":[4]",
     "'head.bias' has the shape [4]; [2]"},
    {"[4,4,2]", "[4,2,4]", "'shared.coefficients' has the shape [4, 2, 4]; [4, 4, 2] was expected"},
    {"\"format_version\":\"1\"", "\"format_version\":\"2\"", "format version '2'"},
    {"\"format_version\":\"1\"", "\"format_versiom\":\"1\"", "lacks format_version"},
    {"\"adatom\":", "\"adatam\":", "lacks the description"},
    {"{\\\"arch\\\"", "[\\\"arch\\\"", "description of the network is damaged"},
    {"\\\"atoms\\\":2", "\\\"atoms\\\":x", "description of the network is damaged"},
    {"\\\"atoms\\\"", "\\\"adoms\\\"", "description of the network is damaged"},
    {"conv4", "conv5", "describes no network: unknown architecture 'conv5'"},
    {"\\\"atoms\\\":2", "\\\"atoms\\\":3", "'layer2.atoms' has the shape [2, 3, 3]; [3, 3, 3] was expected"},
    {"\\\"classes\\\":2", "\\\"classes\\\":0", "tensor 'head.weight' does not belong to a conv4"},
    {"\\\"image_size\\\":16", "\\\"image_size\\\":-6", "impossible number"},
    {"\\\"std\\\":[0", "\\\"std\\\":[7", NULL}, /* lawful */
    {"\\\"std\\\":[0.229000002", "\\\"std\\\":[0.000000000", "mean and std are impossible"},
    {"\"{\\\"by\\\":\\\"x\\\"}\"", "\"[\\\"by\\\",\\\"x\\\"]\"", "notes are not a JSON object"},
};

START_TEST(test_edited_files) {
    size_t size = 0;
    char *bytes = small_file(&size);
    ck_assert_uint_eq(strlen(edits[_i].from), strlen(edits[_i].to));
    char *at = memmem(bytes, size, edits[_i].from, strlen(edits[_i].from));
    ck_assert_msg(at != NULL, "the file has no %s", edits[_i].from);
    memcpy(at, edits[_i].to, strlen(edits[_i].to));
    if (edits[_i].says) {
        check_refused(bytes, size, edits[_i].says);
    } else {
        adatom_model *model = NULL;
        ck_assert_int_eq(adatom_model_parse(ctx, "m", bytes, size, &model), ADATOM_OK);
        adatom_model_destroy(&model);
    }
    ad_free(bytes);
}
END_TEST

START_TEST(test_interpolation) {
    size_t size = 0;
    char *bytes = small_file(&size);
    /* A model with the interpolation of all earlier ones is written as it was. */
    ck_assert_ptr_null(memmem(bytes, size, "interpolation", strlen("interpolation")));
    ad_free(bytes);
    adatom_model *model = create(small);
    const uint64_t before = model->hash;
    model->interpolation = ADATOM_INTERPOLATION_BICUBIC;
    ad_model_rehash(model);
    ck_assert_uint_ne(model->hash, before);
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    adatom_model_destroy(&model);
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, &size), ADATOM_OK);
    char *at = memmem(bytes, size, "bicubic", strlen("bicubic"));
    ck_assert_ptr_nonnull(at);
    memcpy(at, "default", strlen("default"));
    check_refused(bytes, size, "unknown interpolation 'default'");
    memcpy(at, "bicuhic", strlen("bicuhic"));
    check_refused(bytes, size, "unknown interpolation 'bicuhic'");
    ad_free(bytes);
}
END_TEST

/* A rounded model is kept as float16 and comes back as it was; what is not rounded, or not a half, is float32. */
START_TEST(test_round) {
    adatom_model *model = create(variants[_i]), *rounded = NULL, *again = NULL;
    ad_random random = ad_random_make(3, AD_STREAM_CHECK, 0);
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        for (int part = 0; part < ad_param_parts(p); part++)
            for (size_t e = 0; e < p->logical / (size_t)ad_param_parts(p); e++)
                model->values[p->offset + ad_param_at(p, part, e)] = 0.1f + ad_random_uniform(&random);
    }
    if (_i % 2) give_base_mean(model);
    model->notes = ad_strdup(ctx, "{\"seed\": 1}");
    ad_model_rehash(model);
    ck_assert_msg(adatom_model_round(model, &rounded) == ADATOM_OK, "%s", adatom_context_message(ctx));
    ck_assert_uint_ne(rounded->hash, model->hash);
    ck_assert_str_eq(rounded->notes, model->notes);
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        bool same = true;
        for (size_t e = 0; e < p->count; e++) {
            const float before = model->values[p->offset + e], after = rounded->values[p->offset + e];
            same = same && before == after;
            ck_assert(fabsf(before - after) <= before / 2048);
        }
        const bool large = p->kind == AD_PARAM_KERNEL || p->kind == AD_PARAM_ATOMS || p->kind == AD_PARAM_HEAD ||
                           p->kind == AD_PARAM_COEFFICIENTS;
        ck_assert_msg(same != large, "%s", p->name);
    }
    for (int step = 0; step < 2; step++) { /* in step 1 one number is no half */
        ad_safetensors file;
        size_t halves = 0;
        ck_assert_int_eq(adatom_model_save(rounded, path), ADATOM_OK);
        ck_assert_int_eq(ad_safetensors_load(ctx, path, path, &file), ADATOM_OK);
        for (size_t t = 0; t < file.count; t++) {
            halves += file.tensors[t].type == AD_ST_F16;
            ck_assert_uint_eq(file.tensors[t].begin % (file.tensors[t].type == AD_ST_F16 ? 2 : 4), 0);
        }
        ck_assert_int_eq(halves > 0, step == 0);
        ad_safetensors_clear(&file);
        ck_assert_msg(adatom_model_load(ctx, path, &again) == ADATOM_OK, "%s", adatom_context_message(ctx));
        ck_assert_uint_eq(again->hash, rounded->hash);
        ck_assert_mem_eq(again->values, rounded->values, rounded->net.role_begin[AD_ROLE_COUNT] * sizeof(float));
        ck_assert((again->base_mean != NULL) == (_i % 2));
        if (again->base_mean)
            ck_assert_mem_eq(again->base_mean, model->base_mean, (size_t)model->net.features * sizeof(float));
        adatom_model_destroy(&again);
        rounded->values[rounded->net.role_begin[AD_ROLE_ATOMS]] += 1e-6f;
        if (rounded->net.role_begin[AD_ROLE_HEAD] == 0) /* no atoms: a number of an ordinary kernel */
            rounded->values[rounded->net.role_begin[AD_ROLE_ORDINARY]] += 1e-6f;
        ad_model_rehash(rounded);
    }
    adatom_model_destroy(&rounded);
    for (int i = 0; i < model->net.param_count; i++)
        if (model->net.params[i].kind == AD_PARAM_KERNEL || model->net.params[i].kind == AD_PARAM_ATOMS)
            model->values[model->net.params[i].offset] = -65505;
    ck_assert_int_eq(adatom_model_round(model, &rounded), ADATOM_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "holds -65505, more than the 65504"));
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_bad_base_mean) {
    size_t size = 0;
    char *bytes = NULL;
    adatom_model *model = create(small);
    give_base_mean(model);
    model->base_mean[1] = NAN;
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, &size), ADATOM_OK);
    check_refused(bytes, size, "'base_mean' has the value nan at element 1");
    char *name = memmem(bytes, size, "base_mean", strlen("base_mean"));
    memcpy(name, "best_mean", strlen("best_mean"));
    check_refused(bytes, size, "'best_mean' does not belong to a conv4");
    ad_free(bytes);
    model->base_mean[1] = 0;
    const int features = model->net.features;
    model->net.features = 2; /* what is written of it */
    ck_assert_int_eq(adatom_model_save(model, path), ADATOM_OK);
    model->net.features = features;
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, &size), ADATOM_OK);
    check_refused(bytes, size, "'base_mean' has the shape [2]; [4] was expected");
    ad_free(bytes);
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_bad_values) {
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    size_t size = 0;
    char *bytes = small_file(&size);
    float *last = (float *)(void *)(bytes + size - sizeof *last),
          good = *last; /* the last layer's last running variance */
    for (size_t i = 0; i < AD_COUNT(bad); i++) {
        *last = bad[i];
        check_refused(bytes, size, "'layer4.norm.running_var' has the value");
    }
    *last = -1;
    check_refused(bytes, size, "non-negative");
    *last = good;
    last[-4] = -1; /* a running mean may be negative */
    adatom_model *model = NULL;
    ck_assert_int_eq(adatom_model_parse(ctx, "m", bytes, size, &model), ADATOM_OK);
    adatom_model_destroy(&model);
    ad_free(bytes);
}
END_TEST

/* Every truncation is refused, and nothing is read past the end (address sanitizer). */
START_TEST(test_truncated) {
    size_t size = 0;
    char *bytes = small_file(&size);
    for (size_t length = 0; length < size; length++) {
        char *cut = malloc(length + !length);
        memcpy(cut, bytes, length);
        check_refused(cut, length, "");
        free(cut);
    }
    ad_free(bytes);
    adatom_model *model = NULL;
    ck_assert_int_eq(adatom_model_load(ctx, "/nonexistent/m.safetensors", &model), ADATOM_BAD_DATA);
}
END_TEST

START_TEST(test_unwritable) {
    adatom_model *model = create(small);
    ck_assert_int_eq(adatom_model_save(model, "/nonexistent/m.safetensors"), ADATOM_IO);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "/nonexistent/m.safetensors"));
    adatom_model_destroy(&model);
}
END_TEST

START_TEST(test_allocation_failures) {
    size_t size = 0;
    char *bytes = small_file(&size);
    adatom_model *model = NULL;
    adatom_status status = ADATOM_FAILED;
    long n = 0;
    for (n = 0; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_model_create(ctx, &small, &model);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? model != NULL : status == ADATOM_OUT_OF_MEMORY && !model);
    }
    ck_assert_int_gt(n, 30); /* at least one for each node and parameter */
    give_base_mean(model);
    adatom_model *rounded = NULL;
    status = ADATOM_FAILED;
    for (n = 0; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_model_round(model, &rounded);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? rounded != NULL : status == ADATOM_OUT_OF_MEMORY && !rounded);
    }
    adatom_model_destroy(&rounded);
    unlink(path);
    status = ADATOM_FAILED;
    for (n = 0; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_model_save(model, path);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK || status == ADATOM_OUT_OF_MEMORY);
        ck_assert_int_eq(access(path, F_OK), status == ADATOM_OK ? 0 : -1);
    }
    adatom_model_destroy(&model);
    status = ADATOM_FAILED;
    for (n = 0; status != ADATOM_OK; n++) {
        ad_test_fail_allocation(n);
        status = adatom_model_load(ctx, path, &model);
        ad_test_fail_allocation(-1);
        ck_assert(status == ADATOM_OK ? model != NULL : status == ADATOM_OUT_OF_MEMORY && !model);
    }
    adatom_model_destroy(&model);
    ad_free(bytes);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("model files");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, file_setup, file_teardown);
    tcase_set_timeout(files, 120);
    tcase_add_loop_test(files, test_round_trip, 0, AD_COUNT(variants));
    tcase_add_test(files, test_file_layout);
    tcase_add_loop_test(files, test_edited_files, 0, AD_COUNT(edits));
    tcase_add_loop_test(files, test_round, 0, AD_COUNT(variants));
    tcase_add_test(files, test_bad_base_mean);
    tcase_add_test(files, test_bad_values);
    tcase_add_test(files, test_interpolation);
    tcase_add_test(files, test_truncated);
    tcase_add_test(files, test_unwritable);
    tcase_add_test(files, test_allocation_failures);
    suite_add_tcase(suite, files);
    return run_suite(suite, CK_FORK_GETENV);
}
