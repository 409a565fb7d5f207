/* How pretrained networks prepare pictures. */
#include "net/network.h"
#include "tests/choices.h"
#include "tests/run_suite.h"
#include "transfer/layout.h"

#include <adatom/transfer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-preparation-XXXXXX", path[64];

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
}
static void teardown(void) {
    unlink(path);
    rmdir(folder);
    adatom_context_destroy(&ctx);
}

/* How an imported network prepares pictures if nothing is asked for, and if something is. */
static const struct {
    const char *arch, *layout;
    adatom_import_params asked;
    int size, resize;
    adatom_interpolation interpolation;
    float mean, std; /* of red */
} preparations[] = {
    {"resnet18", "torchvision", {0}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"resnet34", "torchvision", {.weights = "v1"}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"vgg16_bn", "torchvision", {0}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"resnet18", "timm", {0}, 224, 235, ADATOM_INTERPOLATION_BICUBIC, 0.485f, 0.229f},
    {"resnet34", "timm", {.weights = "tv"}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"vgg16_bn", "timm", {0}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"mobilenet_v2", "torchvision", {0}, 224, 232, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"efficientnet_b1", "torchvision", {0}, 240, 255, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"efficientnet_b1", "torchvision", {.weights = "v1"}, 240, 256, ADATOM_INTERPOLATION_BICUBIC, 0.485f, 0.229f},
    {"efficientnet_b1", "timm", {0}, 240, 266, ADATOM_INTERPOLATION_BICUBIC, 0.5f, 0.5f},
    {"efficientnet_b1", "timm-tf", {0}, 240, 272, ADATOM_INTERPOLATION_BICUBIC, 0.485f, 0.229f},
    {"efficientnet_b0", "timm-tf", {.weights = "ap"}, 224, 256, ADATOM_INTERPOLATION_BICUBIC, 0.5f, 0.5f},
    {"mobilenet_v3_small", "timm-tf", {0}, 224, 256, ADATOM_INTERPOLATION_BILINEAR, 0.5f, 0.5f},
    {"efficientnet_lite0", "timm", {0}, 224, 256, ADATOM_INTERPOLATION_BICUBIC, 0.485f, 0.229f},
    {"efficientnet_lite3", "timm-tf", {0}, 300, 331, ADATOM_INTERPOLATION_BILINEAR, 0.5f, 0.5f},
    {"efficientnet_lite3",
     "efficientnet_lite_pytorch",
     {0},
     280,
     312,
     ADATOM_INTERPOLATION_BILINEAR,
     127 / 255.0f,
     128 / 255.0f},
    {"convnext_tiny", "huggingface", {0}, 224, 256, ADATOM_INTERPOLATION_BICUBIC, 0.485f, 0.229f},
    /* At another size than the source's nothing is cropped unless that is asked for. */
    {"resnet18", "torchvision", {.image_size = 112}, 112, 112, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"resnet18",
     "torchvision",
     {.image_size = 112, .crop = 0.875f},
     112,
     128,
     ADATOM_INTERPOLATION_BILINEAR,
     0.485f,
     0.229f},
    {"resnet18",
     "torchvision",
     {.image_size = 80, .crop = 0.8f},
     80,
     100,
     ADATOM_INTERPOLATION_BILINEAR,
     0.485f,
     0.229f},
    {"resnet18", "torchvision", {.crop = 1}, 224, 224, ADATOM_INTERPOLATION_BILINEAR, 0.485f, 0.229f},
    {"resnet18",
     "torchvision",
     {.resize = 300,
      .interpolation = ADATOM_INTERPOLATION_BICUBIC,
      .mean = {0.5f, 0.5f, 0.5f},
      .std = {0.25f, 0.5f, 0.5f}},
     224,
     300,
     ADATOM_INTERPOLATION_BICUBIC,
     0.5f,
     0.25f},
    {"resnet18",
     "torchvision",
     {.interpolation = ADATOM_INTERPOLATION_FAST_BILINEAR},
     224,
     256,
     ADATOM_INTERPOLATION_FAST_BILINEAR,
     0.485f,
     0.229f},
    /* No preparation is known of these sources. */
    {"conv4", "closerlook", {0}, 84, 84, ADATOM_INTERPOLATION_FAST_BILINEAR, 0.485f, 0.229f},
    {"convnext_atto", "huggingface", {0}, 224, 256, ADATOM_INTERPOLATION_FAST_BILINEAR, 0.485f, 0.229f},
    {"resnet10", "closerlook", {0}, 224, 256, ADATOM_INTERPOLATION_FAST_BILINEAR, 0.485f, 0.229f},
    {"resnet12", "rfs", {.crop = 0.9f}, 84, 93, ADATOM_INTERPOLATION_FAST_BILINEAR, 0.485f, 0.229f},
};

START_TEST(test_preparation) {
    const char *arch = preparations[_i].arch;
    adatom_model *model = NULL, *again = NULL;
    bool others;
    const int width = ad_network_width(arch, &others);
    const adatom_layout layout = layout_of(preparations[_i].layout);
    OK(adatom_model_create(ctx,
                           &(adatom_model_params){.size = sizeof(adatom_model_params),
                                                  .arch = arch,
                                                  .sharing = ADATOM_SHARING_NONE,
                                                  .image_size = 32,
                                                  .width = others ? 4 : width,
                                                  .seed = 3},
                           &model));
    OK(adatom_model_export(model, path,
                           &(adatom_export_params){.size = sizeof(adatom_export_params), .layout = layout}));
    adatom_import_params params = preparations[_i].asked;
    params.size = sizeof params;
    params.layout = layout;
    OK(adatom_model_import(ctx, path, &params, &again));
    adatom_model_destroy(&model);
    /* The preparation stays with the network through decomposition and files. */
    OK(adatom_model_decompose(
        again,
        &(adatom_decompose_params){
            .size = sizeof(adatom_decompose_params), .sharing = ADATOM_SHARING_LAYER, .atoms = 4, .residual = true},
        &model));
    OK(adatom_model_save(model, path));
    adatom_model_destroy(&model);
    adatom_model_destroy(&again);
    OK(adatom_model_load(ctx, path, &model));
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(model, &info);
    ck_assert_int_eq(info.image_size, preparations[_i].size);
    ck_assert_int_eq(info.resize, preparations[_i].resize);
    ck_assert_int_eq(info.interpolation, preparations[_i].interpolation);
    ck_assert(info.mean[0] == preparations[_i].mean && info.std[0] == preparations[_i].std);
    adatom_model_destroy(&model);
}
END_TEST

/* Every row can be used, and no row hides another one. */
START_TEST(test_rows_of_preparations) {
    for (int i = 0; i < ad_preparation_count; i++) {
        const ad_preparation *row = &ad_preparations[i];
        char archs[200];
        snprintf(archs, sizeof archs, "%s", row->archs);
        ck_assert((row->resize > 0) != (row->crop > 0));
        ck_assert_int_ge(ad_preparation_resize(row), row->size);
        ck_assert_int_le(ad_preparation_resize(row), 4096);
        ck_assert(row->interpolation == ADATOM_INTERPOLATION_BILINEAR ||
                  row->interpolation == ADATOM_INTERPOLATION_BICUBIC);
        for (int c = 0; c < 3; c++) ck_assert(row->mean[c] >= 0 && row->mean[c] < 1 && row->std[c] > 0);
        for (char *rest = archs, *arch = strsep(&rest, " "); arch; arch = strsep(&rest, " "))
            ck_assert_ptr_eq(ad_preparation_find(row->layout, arch, row->weights), row);
    }
    ck_assert_str_eq(ad_preparation_find("torchvision", "resnet50", NULL)->weights, "v2");
    ck_assert_ptr_eq(ad_preparation_find("timm-tf", "efficientnet_b0", "in1k"),
                     ad_preparation_find("timm-tf", "efficientnet_b0", "ns"));
    ck_assert_ptr_null(ad_preparation_find("timm-tf", "efficientnet_b0", ""));
    ck_assert_ptr_null(ad_preparation_find("torchvision", "resnet5", NULL));
    ck_assert_ptr_null(ad_preparation_find("torchvision", "resnet", NULL));
    ck_assert_ptr_null(ad_preparation_find("timm", "mobilenet_v3", NULL));
    ck_assert_ptr_null(ad_preparation_find("timm", "efficientnet_lite0", "tf"));
    ck_assert_ptr_null(ad_preparation_find("rfs", "resnet12", NULL));
    /* timm: int(floor(size / crop)). */
    ck_assert_int_eq(ad_resize_for_crop(224, 0.875), 256);
    ck_assert_int_eq(ad_resize_for_crop(224, 0.95), 235);
    ck_assert_int_eq(ad_resize_for_crop(224, (double)0.95f), 235);
    ck_assert_int_eq(ad_resize_for_crop(80, (double)0.8f), 100);
    ck_assert_int_eq(ad_resize_for_crop(240, 0.882), 272);
    ck_assert_int_eq(ad_resize_for_crop(288, 1), 288);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("preparation");
    TCase *preparation = tcase_create("preparation");
    tcase_add_checked_fixture(preparation, setup, teardown);
    tcase_set_timeout(preparation, 120);
    tcase_add_loop_test(preparation, test_preparation, 0, AD_COUNT(preparations));
    tcase_add_test(preparation, test_rows_of_preparations);
    suite_add_tcase(suite, preparation);
    return run_suite(suite, CK_FORK_GETENV);
}
