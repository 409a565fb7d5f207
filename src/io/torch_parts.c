#include "io/torch_parts.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { SHOWN = 100, CHECK_BYTES = 64 << 20 };

int ad_torch_compare(ad_pickle_text a, ad_pickle_text b) {
    const int order = memcmp(a.bytes, b.bytes, AD_MIN(a.length, b.length));
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int by_key(const void *a, const void *b) {
    return ad_torch_compare(((const ad_torch_part *)a)->key, ((const ad_torch_part *)b)->key);
}

void ad_torch_parts_clear(ad_torch_parts *parts) {
    ad_pickle_clear(&parts->pickle);
    ad_free(parts->parts);
    *parts = (ad_torch_parts){0};
}

adatom_status ad_torch_sort(adatom_context *ctx, const char *name, ad_torch_parts *parts) {
    qsort(parts->parts, parts->count, sizeof *parts->parts, by_key);
    for (size_t i = 1; i < parts->count; i++) {
        const ad_pickle_text key = parts->parts[i].key;
        if (by_key(&parts->parts[i - 1], &parts->parts[i]) == 0)
            return ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the storage '%.*s' is in it twice", name,
                           (int)AD_MIN(key.length, (size_t)SHOWN), key.bytes);
    }
    return ADATOM_OK;
}

adatom_status ad_torch_refuse_packed(adatom_context *ctx, const char *name, ad_pickle_text member) {
    return ad_fail(ctx, ADATOM_BAD_DATA,
                   "'%s': '%.*s' in it is compressed or encrypted, which torch.save never does (unzip it and zip it "
                   "again with zip -0)",
                   name, (int)AD_MIN(member.length, (size_t)SHOWN), member.bytes);
}

adatom_status ad_torch_check(adatom_context *ctx, const char *name, ad_torch_part *part) {
    uLong crc = crc32(0, NULL, 0);
    if (!part->is_stored) return ad_torch_refuse_packed(ctx, name, part->key);
    if (part->is_checked || part->crc == 0) return ADATOM_OK; /* PyTorch can leave the checksums out */
    for (size_t at = 0; at < part->bytes; at += CHECK_BYTES) {
        crc = crc32(crc, part->data + at, (uInt)AD_MIN(part->bytes - at, (size_t)CHECK_BYTES));
        if (ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    if (crc != part->crc)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is damaged: '%.*s' in it does not have its checksum", name,
                       (int)AD_MIN(part->key.length, (size_t)SHOWN), part->key.bytes);
    part->is_checked = true;
    return ADATOM_OK;
}

const ad_torch_part *ad_torch_part_of(adatom_context *ctx, const char *name, ad_torch_parts *parts, ad_pickle_text key,
                                      adatom_status *status) {
    const ad_torch_part wanted = {.key = key};
    ad_torch_part *found =
        parts->count ? bsearch(&wanted, parts->parts, parts->count, sizeof *parts->parts, by_key) : NULL;
    *status = found ? ad_torch_check(ctx, name, found)
                    : ad_fail(ctx, ADATOM_BAD_DATA, "'%s': the storage '%.*s' is missing (is the file truncated?)",
                              name, (int)AD_MIN(key.length, (size_t)SHOWN), key.bytes);
    return *status == ADATOM_OK ? found : NULL;
}
