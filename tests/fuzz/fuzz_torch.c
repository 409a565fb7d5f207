/* Files of torch.save, and bare pickles (where the first byte is neither a zip archive's nor PROTO): what is accepted
 * lies within the file, and can be read. */
#include "io/pickle.h"
#include "io/tensor_file.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right) {
    if (!is_right) abort();
}

static void read_tensor(const ad_file_tensor *tensor) {
    enum { PART = 256 };
    float values[PART];
    if (!ad_file_tensor_is_float(tensor)) return;
    for (size_t e = 0; e < tensor->elements; e += PART)
        ad_file_tensor_floats(tensor, e, AD_MIN(tensor->elements - e, (size_t)PART), values);
}

static void try_file(adatom_context *ctx, const uint8_t *data, size_t size) {
    ad_tensor_file file;
    const adatom_status status = ad_tensor_file_parse(ctx, "fuzz", data, size, &file);
    check(status == ADATOM_OK || (status == ADATOM_BAD_DATA && adatom_context_message(ctx)[0] && !file.tensors));
    size_t all = 0;
    for (size_t i = 0; i < file.count; i++) {
        const ad_file_tensor *tensor = &file.tensors[i];
        all += tensor->elements;
        check(all <= 8 * size && ad_tensor_file_find(&file, tensor->name) == tensor);
        read_tensor(tensor);
    }
    ad_tensor_file_clear(&file);
}

static void try_pickle(adatom_context *ctx, const uint8_t *data, size_t size) {
    ad_pickle p;
    const adatom_status status = ad_pickle_parse(ctx, "fuzz", data, size, &p);
    check(status == ADATOM_OK || (status == ADATOM_BAD_DATA && adatom_context_message(ctx)[0] && !p.items));
    if (status != ADATOM_OK) return;
    check(p.size <= size);
    for (size_t i = 0; i < p.item_count; i++) {
        const ad_pickle_value value = p.items[i].value;
        ad_pickle_tensor t;
        if (value.kind == AD_PICKLE_TEXT) {
            const ad_pickle_text text = ad_pickle_text_of(&p, value);
            check(text.bytes >= (const char *)data && text.bytes + text.length <= (const char *)data + size);
        }
        if (value.kind != AD_PICKLE_TENSOR) continue;
        if (ad_pickle_tensor_of(ctx, &p, value, (ad_pickle_text){"t", 1}, &t) != ADATOM_OK) continue;
        const size_t bytes = t.storage.numbers * t.storage.type_bytes;
        check(t.elements <= bytes / t.type_bytes);
        for (int d = 0; d < t.rank; d++) check(t.shape[d] >= 0 && t.stride[d] >= 0);
    }
    ad_pickle_clear(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    adatom_context *ctx = NULL;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) return 0;
    if (size && (data[0] == 'P' || data[0] == 0x80))
        try_file(ctx, data, size);
    else
        try_pickle(ctx, data, size);
    adatom_context_destroy(&ctx);
    return 0;
}
