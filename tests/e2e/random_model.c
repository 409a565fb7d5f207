/* random_model: prints the names of all networks.
 * random_model MODEL PICTURES CLASSES SEED ARCH SIZE [SHARING [WIDTH [PADDING]]]: makes a network of random numbers
 * whose answers depend on the picture, however deep it is: what norms, biases and factors do is drawn around their
 * start, and batch norms have the statistics of raw uint8 pictures, which are taken as those of an adapter to them. */
#include "net/network.h"

#include <adatom/adapter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_PICTURES = 64 };

static void draw(adatom_model *model, uint64_t seed) {
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        float *values = model->values + p->offset;
        ad_random random = ad_random_make(seed, AD_STREAM_CHECK, (uint32_t)i);
        for (size_t e = 0; e < p->logical; e++) {
            const float one = ad_random_normal(&random);
            if (p->kind == AD_PARAM_GAMMA || p->kind == AD_PARAM_SCALE) values[e] = 1 + 0.2f * one;
            if (p->kind == AD_PARAM_BETA || p->kind == AD_PARAM_BIAS) values[e] = 0.2f * one;
        }
    }
    ad_model_rehash(model);
}

/* Channels that hardly vary would make errors of rounding grow from layer to layer. */
static void clamp(adatom_model *model) {
    for (int i = 0; i < model->net.param_count; i++) {
        const ad_param *p = &model->net.params[i];
        float *variance = model->values + p->offset + p->c, mean = 0;
        if (p->kind != AD_PARAM_STATISTICS) continue;
        for (int32_t c = 0; c < p->c; c++) mean += variance[c] / (float)p->c;
        for (int32_t c = 0; c < p->c; c++) variance[c] = AD_MAX(variance[c], 0.1f * mean);
    }
}

static adatom_status settle(adatom_context *context, const adatom_model *model, const uint8_t *pictures, size_t count,
                            int64_t classes, adatom_model **out) {
    const uint8_t *pixels[MOST_PICTURES];
    int sizes[MOST_PICTURES];
    int64_t labels[MOST_PICTURES];
    const int size = model->net.image_size;
    adatom_device *device = NULL;
    adatom_dataset *dataset = NULL;
    adatom_adapter *adapter = NULL;
    adatom_status status;
    for (size_t i = 0; i < count; i++) {
        pixels[i] = pictures + i * 3 * (size_t)size * (size_t)size;
        sizes[i] = size;
        labels[i] = (int64_t)i % classes;
    }
    const adatom_picture_table table = {
        .size = sizeof table, .rows = count, .pixels = pixels, .widths = sizes, .heights = sizes, .labels = labels};
    const adatom_dataset_params data = {.size = sizeof data, .image_size = size};
    const adatom_method method = {.size = sizeof method, .adapt = ADATOM_ADAPT_CENTROID, .bn = ADATOM_BN_SUPPORT};
    const adatom_fit_params fit = {.size = sizeof fit, .method = &method, .estimate = ADATOM_ESTIMATE_NONE};
    AD_TRY(adatom_device_open(context, &(adatom_device_params){.size = sizeof(adatom_device_params), .select = "cpu"},
                              &device));
    AD_TRY(adatom_dataset_create(context, &table, &data, &dataset));
    AD_TRY(adatom_adapter_fit(device, model, dataset, &fit, &adapter));
    AD_TRY(adatom_adapter_merge(adapter, model, out));
done:
    adatom_adapter_destroy(&adapter);
    adatom_dataset_destroy(&dataset);
    adatom_device_destroy(&device);
    return status;
}

static adatom_status make(adatom_context *context, int count, char **words, const uint8_t *pictures, size_t bytes) {
    const int64_t classes = atoi(words[3]);
    const uint64_t seed = strtoull(words[4], NULL, 10);
    adatom_model_params params = {.size = sizeof params, .arch = words[5], .image_size = atoi(words[6]), .seed = seed};
    const size_t pictures_count = bytes / (3 * (size_t)params.image_size * (size_t)params.image_size);
    adatom_model *model = NULL, *settled = NULL;
    adatom_status status = ADATOM_USAGE;
    params.sharing = ADATOM_SHARING_NONE;
    if (count > 7 && !adatom_sharing_parse(words[7], &params.sharing)) goto done;
    if (count > 8) params.width = atoi(words[8]);
    if (count > 9 && !adatom_padding_parse(words[9], &params.padding)) goto done;
    if (pictures_count < (size_t)classes || pictures_count > MOST_PICTURES) goto done;
    AD_TRY(adatom_model_create(context, &params, &model));
    draw(model, seed);
    AD_TRY(settle(context, model, pictures, pictures_count, classes, &settled));
    clamp(settled);
    ad_random random = ad_random_make(seed, AD_STREAM_CHECK, UINT32_MAX);
    const ad_param *head = &settled->net.params[settled->net.head],
                   *bias = &settled->net.params[settled->net.head_bias];
    for (size_t e = 0; e < head->count; e++) settled->values[head->offset + e] = ad_random_normal(&random);
    for (size_t e = 0; e < bias->count; e++) settled->values[bias->offset + e] = ad_random_normal(&random);
    ad_model_rehash(settled);
    AD_TRY(adatom_model_save(settled, words[1]));
done:
    adatom_model_destroy(&settled);
    adatom_model_destroy(&model);
    return status;
}

int main(int argc, char **argv) {
    char *bytes = NULL;
    size_t size = 0;
    adatom_context *context = NULL;
    for (size_t i = 0; argc == 1 && adatom_model_arch(i); i++) printf("%s\n", adatom_model_arch(i));
    if (argc == 1) return 0;
    if (argc < 7 || adatom_context_create(NULL, &context)) return 2;
    adatom_status status = ad_read_file(context, argv[2], 1 << 28, &bytes, &size);
    if (!status) status = make(context, argc, argv, (const uint8_t *)bytes, size);
    if (status) fprintf(stderr, "random_model: %s\n", adatom_context_message(context));
    ad_free(bytes);
    adatom_context_destroy(&context);
    return status != ADATOM_OK;
}
