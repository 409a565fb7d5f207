/* Archives of any kind, with the lists and pictures in them: they are refused with a sentence or give a data set. */
#include "io/dataset.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const adatom_context *ctx, adatom_status status) {
    if (status != ADATOM_OK && (status != ADATOM_BAD_DATA || !*adatom_context_message(ctx))) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/adatom-fuzz-archive-%ld", (long)getpid());
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || write(file, data, size) != (ssize_t)size) abort();
    close(file);
    adatom_context *ctx = NULL;
    if (adatom_context_create(NULL, &ctx) != ADATOM_OK) abort();
    const adatom_dataset_params params = {
        .size = sizeof(adatom_dataset_params), .image_size = 8, .threads = 1, .max_pixels = 1 << 16};
    size_t problems = 0;
    check(ctx,
          adatom_dataset_verify(
              ctx, path, &(adatom_verify_params){.size = sizeof(adatom_verify_params), .dataset = &params, .least = 1},
              &problems));
    adatom_dataset *dataset = NULL;
    const adatom_status status = adatom_dataset_open(ctx, path, &params, &dataset);
    check(ctx, status);
    if ((status == ADATOM_OK) != (dataset != NULL)) abort();
    if (dataset) {
        adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
        adatom_dataset_describe(dataset, &info);
        for (size_t i = 0; i < info.images; i++)
            if (!ad_is_utf8(adatom_dataset_path(dataset, i), strlen(adatom_dataset_path(dataset, i)))) abort();
        for (int c = 0; c < info.classes; c++) {
            const char *name = NULL;
            size_t first = 0, count = 0;
            if (adatom_dataset_class(dataset, c, &name, &first, &count) != ADATOM_OK || first + count > info.images)
                abort();
            if (!ad_is_utf8(name, strlen(name))) abort();
        }
    }
    adatom_dataset_destroy(&dataset);
    adatom_context_destroy(&ctx);
    unlink(path);
    return 0;
}
