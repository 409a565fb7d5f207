/* A small world of built-in shapes on the CPU engine, for tests of adaptation and pretraining. */
#ifndef AD_TESTS_SHAPES_FIXTURE_H
#define AD_TESTS_SHAPES_FIXTURE_H

#include "tests/run_suite.h"

#include <adatom/adapt.h>

static adatom_context *ctx;
static adatom_device *device;
static adatom_dataset *base, *novel;
static adatom_model *model;

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    const adatom_device_params cpu = {
        .size = sizeof cpu, .select = "cpu", .threads = 2}; /* memory depends on their number */
    OK(adatom_device_open(ctx, &cpu, &device));
    const adatom_dataset_params b = {.size = sizeof b, .image_size = 16, .split = "base", .builtin_per_class = 8},
                                n = {.size = sizeof n, .image_size = 16, .split = "novel", .builtin_per_class = 8};
    OK(adatom_dataset_open(ctx, "builtin:shapes", &b, &base));
    OK(adatom_dataset_open(ctx, "builtin:shapes", &n, &novel));
    const adatom_model_params m = {.size = sizeof m, .image_size = 16, .width = 8, .atoms = 4, .seed = 3};
    OK(adatom_model_create(ctx, &m, &model));
}

static void teardown(void) {
    adatom_model_destroy(&model);
    adatom_dataset_destroy(&base);
    adatom_dataset_destroy(&novel);
    adatom_device_destroy(&device);
    adatom_context_destroy(&ctx);
}
#endif
