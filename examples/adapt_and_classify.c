/* adapt_and_classify MODEL FOLDER ADAPTER PICTURE...: adapts a model to the classes of a folder (a folder per class),
 * keeps the adapter, and tells the class of each picture. */
#include <adatom/adapter.h>
#include <stdio.h>

/* Everything about the pictures: which class is the most probable for each. */
static void print(const adatom_adapter *adapter, const adatom_dataset *pictures,
                  const adatom_predictions *predictions) {
    adatom_predictions_info info = ADATOM_INIT(adatom_predictions_info);
    adatom_predictions_describe(predictions, &info);
    for (size_t i = 0; i < info.images; i++) {
        int classes, best = 0;
        const float *probability = adatom_predictions_get(predictions, 0, i, &classes);
        for (int c = 1; c < classes; c++)
            if (probability[c] > probability[best]) best = c;
        adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
        if (adatom_adapter_get_class(adapter, best, &one) != ADATOM_OK) continue;
        printf("%s: %s (%.1f %%)\n", adatom_dataset_path(pictures, i), one.name, 100 * (double)probability[best]);
    }
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: %s MODEL FOLDER ADAPTER PICTURE...\n", argv[0]);
        return 2;
    }
    adatom_context *context = NULL;
    adatom_device *device = NULL;
    adatom_model *model = NULL;
    adatom_dataset *folder = NULL, *pictures = NULL;
    adatom_adapter *adapter = NULL;
    adatom_predictions *predictions = NULL;
    adatom_model_info info = ADATOM_INIT(adatom_model_info);

    adatom_status status = adatom_context_create(NULL, &context);
    if (!status) status = adatom_device_open(context, NULL, &device);
    if (!status) status = adatom_model_load(context, argv[1], &model);
    if (!status) {
        adatom_model_describe(model, &info);
        const adatom_dataset_params params = {.size = sizeof params, .image_size = info.image_size};
        status = adatom_dataset_open(context, argv[2], &params, &folder);
        if (!status)
            status = adatom_dataset_open_pictures(context, (const char *const *)argv + 4, (size_t)argc - 4, &params,
                                                  &pictures);
    }
    if (!status) status = adatom_adapter_fit(device, model, folder, NULL, &adapter);
    if (!status) {
        adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
        adatom_adapter_describe(adapter, &a);
        fprintf(stderr, "%d classes, estimated accuracy %.1f %% (%.1f to %.1f)\n", a.classes, 100 * a.accuracy,
                100 * a.low, 100 * a.high);
        status = adatom_adapter_save(adapter, argv[3]);
    }
    if (!status) {
        const adatom_adapter *const adapters[] = {adapter};
        const adatom_classify_params params = {.size = sizeof params, .adapters = adapters, .adapter_count = 1};
        status = adatom_classify(device, model, pictures, &params, &predictions);
    }
    if (!status)
        print(adapter, pictures, predictions);
    else
        fprintf(stderr, "%s\n", context ? adatom_context_message(context) : "out of memory");

    adatom_predictions_destroy(&predictions);
    adatom_adapter_destroy(&adapter);
    adatom_dataset_destroy(&pictures);
    adatom_dataset_destroy(&folder);
    adatom_model_destroy(&model);
    adatom_device_destroy(&device);
    adatom_context_destroy(&context);
    return adatom_status_exit_code(status);
}
