/* Decodes GIF with stb_image, after checking whether the file can hold what its header says. */
#include "io/decode.h"

#include <string.h>

/* This one is not within push and pop, since gcc gives the warning at the end of the file. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_GIF
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS (1 << 26)
#define STBI_MALLOC(size) ad_malloc(NULL, size, 1)
#define STBI_REALLOC_SIZED(memory, old_size, size) ad_realloc(NULL, memory, old_size, size, 1)
#define STBI_FREE(memory) ad_free(memory)
#include <stb_image.h>
#pragma GCC diagnostic pop

/* Decodes with stb_image and hands over its rows. */
static adatom_status decode(ad_decoding *d) {
    enum { channels = 4 };
    int width = 0, height = 0, found = 0;
    if (d->size > INT32_MAX) return ad_picture_fail(d, ADATOM_BAD_DATA, "is larger than 2 GiB");
    uint8_t *pixels = stbi_load_from_memory(d->bytes, (int)d->size, &width, &height, &found, channels);
    if (!pixels) {
        const char *reason = stbi_failure_reason();
        if (reason && !strcmp(reason, "outofmem")) return ad_picture_out_of_memory(d);
        return ad_picture_damaged(d, "is damaged (%s)", reason ? reason : "no reason given");
    }
    adatom_status status = ADATOM_OK;
    if (width != d->width || height != d->height) {
        status = ad_picture_fail(d, ADATOM_BAD_DATA, "is damaged (its sizes contradict each other)");
    } else {
        const size_t stride = (size_t)width * channels;
        for (int y = 0; y < height; y++) ad_picture_row(d, pixels + (size_t)y * stride, channels);
    }
    ad_free(pixels);
    return status;
}

typedef struct gif_reader {
    const uint8_t *bytes;
    size_t size, at, block_left;
} gif_reader;

/* The next byte of the current data blocks; -1: the blocks end, -2: the file ends. */
static int gif_byte(gif_reader *r) {
    if (r->block_left == 0) {
        if (r->at >= r->size) return -2;
        r->block_left = r->bytes[r->at];
        if (r->block_left == 0) return -1; /* the block's end mark is left for gif_skip_blocks() */
        r->at++;
    }
    if (r->at >= r->size) return -2;
    r->block_left--;
    return r->bytes[r->at++];
}

/* Skips the rest of the data blocks and their end mark; false: the file ends before. */
static bool gif_skip_blocks(gif_reader *r) {
    r->at += r->block_left;
    r->block_left = 0;
    while (r->at < r->size && r->bytes[r->at] != 0) r->at += r->bytes[r->at] + 1u;
    return r->at++ < r->size;
}

/* Counts the pixels that a frame's LZW codes stand for, at most `wanted`, without making any. */
static uint64_t gif_count_pixels(gif_reader *r, unsigned first_bits, uint64_t wanted) {
    uint16_t lengths[4096];
    const unsigned clear = 1u << first_bits;
    unsigned bits = first_bits + 1, next = clear + 2, previous = 0, held = 0, held_bits = 0;
    uint64_t count = 0;
    for (unsigned i = 0; i < clear; i++) lengths[i] = 1;
    while (count < wanted) {
        for (; held_bits < bits; held_bits += 8) {
            int byte = gif_byte(r);
            if (byte < 0) return count;
            held |= (unsigned)byte << held_bits;
        }
        unsigned code = held & ((1u << bits) - 1);
        held >>= bits;
        held_bits -= bits;
        if (code == clear + 1) return count;
        if (code == clear) {
            bits = first_bits + 1;
            next = clear + 2;
            previous = 0;
            continue;
        }
        if (code > next || (code == next && !previous) || (code >= clear && code < clear + 2)) return count;
        if (previous && next < 4096) lengths[next++] = (uint16_t)(previous + 1);
        if (code >= next) return count;
        previous = lengths[code];
        count += previous;
        if (next == 1u << bits && bits < 12) bits++;
    }
    return count;
}

adatom_status ad_decode_gif(ad_decoding *d) {
    gif_reader r = {.bytes = d->bytes, .size = d->size, .at = 13};
    const uint8_t *b = d->bytes;
    bool framed = false, whole = true;
    if (d->size < 13) return ad_picture_fail(d, ADATOM_BAD_DATA, "is truncated");
    const uint64_t pixels = (uint64_t)ad_le16(b + 6) * ad_le16(b + 8);
    adatom_status status = ad_picture_begin(d, ad_le16(b + 6), ad_le16(b + 8), 1, 1, 13 * pixels);
    if (status != ADATOM_OK) return status;
    if (b[10] & 0x80) r.at += 3u << ((b[10] & 7) + 1);
    while (whole) {
        if (r.at >= r.size) {
            whole = false;
        } else if (b[r.at] == ';') {
            break;
        } else if (b[r.at] == '!') {
            r.at += 2;
            whole = gif_skip_blocks(&r);
        } else if (b[r.at] == ',' && r.size - r.at > 10) {
            const uint8_t *frame = b + r.at;
            const uint64_t wanted = (uint64_t)ad_le16(frame + 5) * ad_le16(frame + 7);
            r.at += 10;
            if (frame[9] & 0x80) r.at += 3u << ((frame[9] & 7) + 1);
            const unsigned first_bits = r.at < r.size ? b[r.at++] : 0;
            if (!framed && first_bits >= 1 && first_bits <= 8)
                whole = gif_count_pixels(&r, first_bits, wanted) == wanted;
            framed = true;
            whole = whole && gif_skip_blocks(&r);
        } else if (b[r.at] == ',') {
            whole = false;
        } else if (framed) {
            break; /* what follows the first frame does not matter */
        } else {
            return ad_picture_fail(d, ADATOM_BAD_DATA, "is a GIF picture with a damaged header");
        }
    }
    if (whole && !framed) return ad_picture_fail(d, ADATOM_BAD_DATA, "is a GIF picture without a frame");
    if (!whole) status = ad_picture_damaged(d, "is truncated");
    return status == ADATOM_OK ? decode(d) : status;
}
