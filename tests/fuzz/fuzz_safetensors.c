/* Model files: the safetensors container, the description in its metadata, the tensors. What is accepted must be
 * whole. */
#include <adatom/model.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    adatom_context *context = NULL;
    adatom_model *model = NULL;
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const adatom_status status = adatom_model_parse(context, "fuzz", data, size, &model);
    if ((status == ADATOM_OK) != (model != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    if (model) {
        adatom_model_info info = ADATOM_INIT(adatom_model_info);
        adatom_layer_info layer = ADATOM_INIT(adatom_layer_info);
        adatom_model_describe(model, &info);
        for (int l = 0; l < info.layers; l++)
            if (adatom_model_layer(model, l, &layer) != ADATOM_OK) abort();
    }
    adatom_model_destroy(&model);
    adatom_context_destroy(&context);
    return 0;
}
