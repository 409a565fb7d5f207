/* Reads the orientation from EXIF; nothing else of EXIF is used. */
#include "io/decode.h"

#include <string.h>

int ad_exif_orientation(const uint8_t *bytes, size_t size) {
    enum { ORIENTATION = 0x0112, SHORT = 3, LONG = 4, FIELD_BYTES = 12 };
    if (size >= 6 && !memcmp(bytes, "Exif\0\0", 6)) {
        bytes += 6;
        size -= 6;
    }
    if (size < 8) return 1;
    bool big = !memcmp(bytes, "MM\0*", 4);
    if (!big && memcmp(bytes, "II*\0", 4)) return 1;
    size_t at = big ? ad_be32(bytes + 4) : ad_le32(bytes + 4);
    if (at > size - 2) return 1;
    unsigned fields = big ? ad_be16(bytes + at) : ad_le16(bytes + at);
    for (at += 2; fields > 0 && at <= size && size - at >= FIELD_BYTES; fields--, at += FIELD_BYTES) {
        const uint8_t *field = bytes + at;
        if ((big ? ad_be16(field) : ad_le16(field)) != ORIENTATION) continue;
        unsigned type = big ? ad_be16(field + 2) : ad_le16(field + 2);
        uint32_t count = big ? ad_be32(field + 4) : ad_le32(field + 4), value = 0;
        if (type == SHORT) value = big ? ad_be16(field + 8) : ad_le16(field + 8);
        if (type == LONG) value = big ? ad_be32(field + 8) : ad_le32(field + 8);
        return count == 1 && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
