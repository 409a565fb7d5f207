/* Files of features: .npy and safetensors, and what is behind a line "--labels--" as their labels (.npy or CSV). What
 * is accepted is whole: finite rows, each of a class with a name. */
#include <adatom/features.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MARK "\n--labels--\n"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const adatom_dataset *features) {
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    size_t next = 0;
    adatom_dataset_describe(features, &info);
    if (info.features < 1 || info.images < 1 || info.classes < 1 || info.image_size != 0 || strlen(info.hash) != 16)
        abort();
    for (int c = 0; c < info.classes; c++) {
        const char *name = NULL;
        size_t first, count;
        if (adatom_dataset_class(features, c, &name, &first, &count) != ADATOM_OK || first != next || count < 1)
            abort();
        if (!*name && info.classes > 1) abort();
        next += count;
    }
    if (next != info.images) abort();
    for (size_t i = 0; i < info.images; i++) {
        const float *row = adatom_dataset_features(features, i);
        if (!adatom_dataset_path(features, i)) abort();
        for (int f = 0; f < info.features; f++)
            if (!isfinite(row[f])) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const size_t mark = sizeof MARK - 1;
    adatom_context *context = NULL;
    adatom_dataset *features = NULL;
    size_t split = 0;
    while (split + mark <= size && memcmp(data + split, MARK, mark) != 0) split++;
    const bool labelled = split + mark <= size;
    const adatom_feature_files files = {.size = sizeof files,
                                        .name = "fuzz",
                                        .bytes = data ? (const void *)data : "",
                                        .bytes_size = labelled ? split : size,
                                        .labels = labelled ? data + split + mark : NULL,
                                        .labels_size = labelled ? size - split - mark : 0};
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const adatom_status status = adatom_features_parse(context, &files, &features);
    if ((status == ADATOM_OK) != (features != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    if (features) check(features);
    adatom_dataset_destroy(&features);
    adatom_context_destroy(&context);
    return 0;
}
