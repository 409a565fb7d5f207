/* run_model DEVICE MODEL PICTURES RESULTS: runs a model on raw uint8 pictures of its size; the features and then the
 * logits of all of them, float32, are written to RESULTS. */
#include <adatom/transfer.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned char *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) return NULL;
    *size = (size_t)ftell(file);
    rewind(file);
    unsigned char *bytes = malloc(*size + 1);
    if (bytes && fread(bytes, 1, *size, file) != *size) {
        bytes[0] = 0;
        *size = 0;
    }
    fclose(file);
    return bytes;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    adatom_context *context = NULL;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);
    float *results = NULL;
    size_t size = 0, count = 0, features = 0, logits = 0;
    unsigned char *pixels = read_all(argv[3], &size);
    if (!pixels) return 2;
    adatom_status status = adatom_context_create(NULL, &context);
    if (!status)
        status = adatom_device_open(
            context, &(adatom_device_params){.size = sizeof(adatom_device_params), .select = argv[1]}, &device);
    if (!status) status = adatom_model_load(context, argv[2], &model);
    if (!status) {
        adatom_model_describe(model, &info);
        count = size / (3 * (size_t)info.image_size * (size_t)info.image_size);
        features = count * (size_t)info.features;
        logits = count * (size_t)info.classes;
        results = malloc((features + logits) * sizeof *results);
        const adatom_run_params run = {.size = sizeof run, .pixels = pixels, .count = count};
        const adatom_run_outputs outputs = {.size = sizeof outputs,
                                            .features = results,
                                            .features_capacity = features,
                                            .logits = logits ? results + features : NULL,
                                            .logits_capacity = logits};
        status = adatom_model_run(device, model, &run, &outputs);
    }
    if (status) fprintf(stderr, "%s\n", adatom_context_message(context));
    FILE *out = status ? NULL : fopen(argv[4], "wb");
    const int failed =
        !out || fwrite(results, sizeof *results, features + logits, out) != features + logits || fclose(out) != 0;
    free(results);
    free(pixels);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    adatom_context_destroy(&context);
    return failed;
}
