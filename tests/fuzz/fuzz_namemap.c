/* The user's map of names, beside a file that has some of them. */
#include <adatom/model.h>
#include <adatom/transfer.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char header[] =
        "{\"a.b\":{\"dtype\":\"F32\",\"shape\":[4,3,3,3],\"data_offsets\":[0,432]},"
        "\"trunk.0.C.weight\":{\"dtype\":\"F32\",\"shape\":[4,3,3,3],\"data_offsets\":[432,864]}}";
    enum { LENGTH = sizeof header - 1 };
    static unsigned char file[8 + LENGTH + 864];
    char path[] = "/tmp/adatom-fuzz-XXXXXX";
    adatom_context *context = NULL;
    adatom_model *model = NULL;
    for (int i = 0; i < 8; i++) file[i] = (unsigned char)((uint64_t)LENGTH >> 8 * i);
    memcpy(file + 8, header, LENGTH);
    const int map = mkstemp(path);
    if (map < 0 || (size && write(map, data, size) != (ssize_t)size)) abort();
    close(map);
    if (adatom_context_create(NULL, &context) == ADATOM_OK) {
        const adatom_import_params params = {.size = sizeof(adatom_import_params), .image_size = 32, .map = path};
        const adatom_status status = adatom_model_import_bytes(context, "fuzz", file, sizeof file, &params, &model);
        if ((status == ADATOM_OK) != (model != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
            abort();
        adatom_model_destroy(&model);
        adatom_context_destroy(&context);
    }
    unlink(path);
    return 0;
}
