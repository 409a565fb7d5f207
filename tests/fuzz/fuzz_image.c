/* Pictures of every kind, told by their content: decoders of our own and our wrappers around libraries, with damage
 * refused and allowed, and scaled in either way. */
#include "io/dataset.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    for (int allow = 0; allow < 2; allow++) {
        uint8_t out[32 * 32 * 3];
        ad_image_error error;
        const ad_image_params params = {
            .size = 32,
            .resize = 40,
            .interpolation = allow ? ADATOM_INTERPOLATION_BICUBIC : ADATOM_INTERPOLATION_FAST_BILINEAR,
            .max_pixels = 1u << 18,
            .background = {255, 128, 0},
            .allow_truncated = allow};
        memset(out, 0xAB, sizeof out);
        adatom_status status = ad_image_decode(size ? (const char *)data : "", size, &params, out, &error);
        if (status != error.status || (status != ADATOM_OK && !*error.text)) abort();
        if (status == ADATOM_OK && *error.text && !allow) abort();
    }
    return 0;
}
