/* Networks of other programs: names, shapes and types of a safetensors file that nobody here has written. */
#include <adatom/transfer.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    adatom_context *context = NULL;
    adatom_model *model = NULL;
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const adatom_import_params params = {.size = sizeof(adatom_import_params), .image_size = 32};
    const adatom_status status = adatom_model_import_bytes(context, "fuzz", data, size, &params, &model);
    if ((status == ADATOM_OK) != (model != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    adatom_model_destroy(&model);
    adatom_context_destroy(&context);
    return 0;
}
