/* Decodes BMP without a library: every header from OS/2's to version 5, 1 to 32 bits, palettes and bit masks, rows from
 * the bottom or the top. */
#include "io/decode.h"

#include <stdlib.h>
#include <string.h>

enum {
    FILE_HEADER = 14,
    CORE_HEADER = 12,
    INFO_HEADER = 40,
    MASK_HEADER = 52,
    ALPHA_HEADER = 56,
    OS2_HEADER = 64,
    BITFIELDS = 3,
    ALPHA_BITFIELDS = 6,
};

/* Where a channel is in a pixel's bits; bits 0: the picture does not have it. */
typedef struct channel {
    unsigned shift, bits;
} channel;

typedef struct reader {
    const uint8_t *bytes;
    size_t size;
    uint64_t offset, stride; /* offset of the pixels in the file; bytes from row to row */
    int64_t width, height;
    unsigned bits, colours, colour_bytes; /* bits of a pixel; entries of the palette; bytes of an entry */
    const uint8_t *palette;
    channel channels[4];
    bool top_down, has_alpha;
} reader;

static channel channel_of(uint32_t mask) {
    channel c = {0};
    if (!mask) return c;
    while (!(mask >> c.shift & 1)) c.shift++;
    while (c.shift + c.bits < 32 && mask >> (c.shift + c.bits)) c.bits++;
    return c;
}

/* A channel's value in eight bits. The bits of a shorter value are repeated, so that all ones become 255. */
static uint8_t eight_bits(uint32_t pixel, channel c) {
    if (!c.bits) return 0;
    uint32_t value = pixel >> c.shift & (c.bits < 32 ? (1u << c.bits) - 1 : UINT32_MAX);
    if (c.bits >= 8) return (uint8_t)(value >> (c.bits - 8));
    value <<= 8 - c.bits;
    for (unsigned known = c.bits; known < 8; known *= 2) value |= value >> known;
    return (uint8_t)value;
}

/* The stored row that is shown as row y; NULL: the file ends before it. */
static const uint8_t *row_at(const reader *r, int64_t y) {
    const uint64_t stored = (uint64_t)(r->top_down ? y : r->height - 1 - y), at = r->offset + stored * r->stride;
    return at <= r->size && r->stride <= r->size - at ? r->bytes + at : NULL;
}

static uint32_t pixel_at(const reader *r, const uint8_t *row, int64_t x) {
    switch (r->bits) {
    case 16: return ad_le16(row + 2 * x);
    case 24: return row[3 * x] | (uint32_t)row[3 * x + 1] << 8 | (uint32_t)row[3 * x + 2] << 16;
    case 32: return ad_le32(row + 4 * x);
    default: return row[x * r->bits / 8] >> (8 - r->bits - x * r->bits % 8) & ((1u << r->bits) - 1);
    }
}

/* Whether all alphas are 0. Programs that do not know of alpha leave it 0; such a picture is taken as opaque, since
 * nothing of it would be seen. */
static bool is_all_clear(const reader *r) {
    for (int64_t y = 0; y < r->height; y++) {
        const uint8_t *row = row_at(r, y);
        for (int64_t x = 0; row && x < r->width; x++)
            if (eight_bits(pixel_at(r, row, x), r->channels[3])) return false;
    }
    return true;
}

static adatom_status read_masks(ad_decoding *d, reader *r, uint32_t header, unsigned compression) {
    static const uint32_t usual[2][4] = {{0x7C00, 0x3E0, 0x1F, 0}, {0xFF0000, 0xFF00, 0xFF, 0}};
    uint32_t masks[4];
    memcpy(masks, usual[r->bits != 16], sizeof masks);
    if (compression == BITFIELDS || compression == ALPHA_BITFIELDS) {
        const size_t at = FILE_HEADER + INFO_HEADER;
        const unsigned count = header >= ALPHA_HEADER || compression == ALPHA_BITFIELDS ? 4 : 3;
        if (at + 4 * count > r->size) return ad_picture_fail(d, ADATOM_BAD_DATA, "is truncated");
        for (unsigned c = 0; c < count; c++) masks[c] = ad_le32(r->bytes + at + 4 * c);
        if (!masks[0] && !masks[1] && !masks[2])
            return ad_picture_fail(d, ADATOM_BAD_DATA,
                                   "is a BMP picture with a damaged header (its colours have no bits)");
    }
    for (int c = 0; c < 4; c++) r->channels[c] = channel_of(masks[c]);
    return ADATOM_OK;
}

/* The palette lies between the header and the pixels. */
static adatom_status read_palette(ad_decoding *d, reader *r, uint32_t header) {
    const uint32_t most = 1u << r->bits, used = header >= INFO_HEADER ? ad_le32(r->bytes + 46) : 0;
    const uint64_t start = FILE_HEADER + (uint64_t)header;
    r->colour_bytes = header == CORE_HEADER ? 3 : 4;
    r->palette = r->bytes + start;
    r->colours = used && used < most ? used : most;
    r->colours = (unsigned)AD_MIN(r->colours, (AD_MIN(r->offset, r->size) - start) / r->colour_bytes);
    return r->colours
               ? ADATOM_OK
               : ad_picture_fail(d, ADATOM_BAD_DATA, "is a BMP picture with a damaged header (it has no palette)");
}

static adatom_status read_header(ad_decoding *d, reader *r) {
    static const char *const compressions[] = {"", "run-length coded", "run-length coded",
                                               "", "JPEG inside",      "PNG inside"};
    const uint8_t *b = r->bytes;
    if (r->size < FILE_HEADER + 4) return ad_picture_fail(d, ADATOM_BAD_DATA, "is truncated");
    const uint32_t header = ad_le32(b + FILE_HEADER);
    const bool core = header == CORE_HEADER;
    if (!core && header != 16 && header != INFO_HEADER && header != MASK_HEADER && header != ALPHA_HEADER &&
        header != OS2_HEADER && header != 108 && header != 124)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a BMP picture with a damaged or unknown header");
    if (r->size < FILE_HEADER + (size_t)header) return ad_picture_fail(d, ADATOM_BAD_DATA, "is truncated");
    r->offset = ad_le32(b + 10);
    r->width = core ? (int32_t)ad_le16(b + 18) : (int32_t)ad_le32(b + 18);
    r->height = core ? (int32_t)ad_le16(b + 20) : (int32_t)ad_le32(b + 22);
    r->top_down = r->height < 0;
    r->height = llabs(r->height);
    r->bits = core ? ad_le16(b + 24) : ad_le16(b + 28);
    const unsigned compression = header >= INFO_HEADER ? ad_le32(b + 30) : 0;
    const bool masks = compression == BITFIELDS || compression == ALPHA_BITFIELDS;
    if ((compression != 0 && !masks) || (masks && header == OS2_HEADER))
        return ad_picture_fail(
            d, ADATOM_BAD_DATA, "is a BMP picture of a sort that is not read (%s); convert it to PNG",
            compression < AD_COUNT(compressions) && *compressions[compression] ? compressions[compression]
                                                                               : "unknown compression");
    if (r->bits != 1 && r->bits != 2 && r->bits != 4 && r->bits != 8 && r->bits != 16 && r->bits != 24 && r->bits != 32)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a BMP picture with %u bits a pixel", r->bits);
    if (r->offset < FILE_HEADER + (uint64_t)header)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a BMP picture with a damaged header");
    r->stride = ((uint64_t)AD_MAX(r->width, 0) * r->bits + 31) / 32 * 4;
    return r->bits <= 8 ? read_palette(d, r, header) : read_masks(d, r, header, compression);
}

static adatom_status give_row(ad_decoding *d, const reader *r, const uint8_t *row, uint8_t *out) {
    for (int64_t x = 0; x < r->width; x++, out += 4) {
        const uint32_t pixel = pixel_at(r, row, x);
        out[3] = r->has_alpha ? eight_bits(pixel, r->channels[3]) : 255;
        if (r->bits > 8) {
            for (int c = 0; c < 3; c++) out[c] = eight_bits(pixel, r->channels[c]);
        } else if (pixel < r->colours) {
            const uint8_t *colour = r->palette + (size_t)pixel * r->colour_bytes;
            for (int c = 0; c < 3; c++) out[c] = colour[2 - c];
        } else {
            const adatom_status status = ad_picture_damaged(d, "is damaged (a pixel has colour %u of a palette of %u)",
                                                            (unsigned)pixel, r->colours);
            if (status != ADATOM_OK) return status;
            memset(out, 0, 3);
        }
    }
    return ADATOM_OK;
}

adatom_status ad_decode_bmp(ad_decoding *d) {
    reader r = {.bytes = d->bytes, .size = d->size};
    adatom_status status = ADATOM_OK;
    uint8_t *row = NULL;
    AD_TRY(read_header(d, &r));
    AD_TRY(ad_picture_begin(d, r.width, r.height, 1, 1, (uint64_t)AD_MAX(r.width, 0) * 8));
    if (!row_at(&r, r.top_down ? r.height - 1 : 0)) { /* the last row in the file */
        AD_TRY(ad_picture_damaged(d, "is truncated"));
        if (!row_at(&r, r.top_down ? 0 : r.height - 1)) goto done; /* not even the first row in the file is whole */
    }
    r.has_alpha = r.channels[3].bits && !is_all_clear(&r);
    if (!(row = ad_malloc(NULL, (size_t)r.width, 4))) return ad_picture_out_of_memory(d);
    for (int64_t y = 0; y < r.height; y++) {
        const uint8_t *stored = row_at(&r, y);
        if (stored) {
            AD_TRY(give_row(d, &r, stored, row));
        } else {
            memset(row, 0, (size_t)r.width * 4); /* transparent */
        }
        ad_picture_row(d, row, 4);
    }
done:
    ad_free(row);
    return status;
}
