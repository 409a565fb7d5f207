/* Numbers in files. */
#ifndef AD_BASE_BYTES_H
#define AD_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* The number of `count` bytes, at most 8, of which the first is the lowest. */
static inline uint64_t ad_little_endian(const void *bytes, size_t count) {
    uint64_t number = 0;
    for (size_t i = count; i-- > 0;) number = number << 8 | ((const unsigned char *)bytes)[i];
    return number;
}
#endif
