/* adapter_config.json and adapter.safetensors: the input is the one, a NUL, and the other. What is accepted must be
 * whole. */
#include <adatom/adapter.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    adatom_context *context = NULL;
    adatom_adapter *adapter = NULL;
    if (size == 0) data = (const uint8_t *)""; /* it may be NULL */
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const uint8_t *cut = size ? memchr(data, 0, size) : NULL, *tensors = cut ? cut + 1 : data + size;
    const size_t config_size = cut ? (size_t)(cut - data) : size;
    const adatom_status status =
        adatom_adapter_parse(context,
                             &(adatom_adapter_files){.size = sizeof(adatom_adapter_files),
                                                     .name = "fuzz",
                                                     .config = (const char *)data,
                                                     .config_size = config_size,
                                                     .tensors = tensors,
                                                     .tensors_size = (size_t)(data + size - tensors)},
                             &adapter);
    if ((status == ADATOM_OK) != (adapter != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    if (adapter) {
        adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info);
        adatom_adapter_describe(adapter, &info);
        if (info.classes < 2 || info.features < 1 || info.right > info.tested || !info.config_json) abort();
        for (int c = 0; c < info.classes; c++) {
            adatom_adapter_class one = ADATOM_INIT(adatom_adapter_class);
            if (adatom_adapter_get_class(adapter, c, &one) != ADATOM_OK || !one.name) abort();
        }
    }
    adatom_adapter_destroy(&adapter);
    adatom_context_destroy(&context);
    return 0;
}
