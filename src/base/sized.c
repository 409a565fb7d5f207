/* Structs that begin with their size: exchanges them with callers that were compiled for another version. */
#include "base/base.h"

#include <string.h>

enum { MOST_BYTES = 1 << 16 }; /* far more than any struct of the interface has */

static adatom_status check_size(adatom_context *ctx, const char *type, size_t size) {
    if (size >= sizeof(size_t) && size <= MOST_BYTES) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "%s.size is %zu; it must be sizeof(%s), which ADATOM_INIT(%s) sets", type, size,
                   type, type);
}

/* memcpy, since the caller's struct need not be aligned as this version's is. */
static size_t size_of(const void *sized) {
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

adatom_status ad_params_read(adatom_context *ctx, const char *type, const void *params, void *out, size_t size) {
    memset(out, 0, size);
    if (params) {
        const size_t given = size_of(params);
        const adatom_status status = check_size(ctx, type, given);
        if (status != ADATOM_OK) return status;
        for (size_t at = size; at < given; at++)
            if (((const unsigned char *)params)[at])
                return ad_fail(ctx, ADATOM_USAGE,
                               "%s has a member that is not 0 and that this library, version %s, does not know", type,
                               ADATOM_VERSION);
        memcpy(out, params, AD_MIN(size, given));
    }
    memcpy(out, &size, sizeof size);
    return ADATOM_OK;
}

adatom_status ad_info_write(adatom_context *ctx, const char *type, const void *info, size_t size, void *out) {
    const size_t room = size_of(out);
    const adatom_status status = check_size(ctx, type, room);
    if (status != ADATOM_OK) return status;
    memset(out, 0, room);
    memcpy(out, info, AD_MIN(size, room));
    memcpy(out, &room, sizeof room);
    return ADATOM_OK;
}
