/* Decodes PNM (P1 to P6) and PAM (P7) without a library, with samples of any maximum up to 65535. */
#include "io/decode.h"

#include <string.h>

typedef struct reader {
    const uint8_t *bytes;
    size_t size, at;
    int64_t width, height;
    unsigned maximum, channels; /* maximum: the largest value of a sample; channels: samples a pixel */
    bool plain, bits;           /* plain: samples are decimal numbers; bits: one bit a pixel, where 1 is black */
} reader;

static bool is_space(unsigned c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool is_digit(unsigned c) { return c >= '0' && c <= '9'; }

/* Skips white space and comments; false at the end of the file. */
static bool skip_space(reader *r) {
    bool comment = false;
    for (; r->at < r->size; r->at++) {
        unsigned c = r->bytes[r->at];
        if (comment) {
            comment = c != '\n' && c != '\r';
        } else if (c == '#') {
            comment = true;
        } else if (!is_space(c)) {
            return true;
        }
    }
    return false;
}

/* The next decimal number, at most INT32_MAX; -1: there is none. */
static int64_t next_number(reader *r) {
    int64_t value = 0;
    if (!skip_space(r) || !is_digit(r->bytes[r->at])) return -1;
    for (; r->at < r->size && is_digit(r->bytes[r->at]); r->at++)
        value = AD_MIN(value * 10 + r->bytes[r->at] - '0', INT32_MAX);
    return value;
}

/* "WIDTH 5\nHEIGHT 4\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" */
static bool read_pam_header(reader *r) {
    int64_t depth = -1, maximum = -1;
    while (skip_space(r)) {
        const char *word = (const char *)r->bytes + r->at;
        size_t length = 0;
        while (r->at + length < r->size && !is_space(r->bytes[r->at + length])) length++;
        r->at += length;
        if (length == 6 && !memcmp(word, "ENDHDR", 6)) break;
        if (length == 5 && !memcmp(word, "WIDTH", 5)) {
            r->width = next_number(r);
        } else if (length == 6 && !memcmp(word, "HEIGHT", 6)) {
            r->height = next_number(r);
        } else if (length == 5 && !memcmp(word, "DEPTH", 5)) {
            depth = next_number(r);
        } else if (length == 6 && !memcmp(word, "MAXVAL", 6)) {
            maximum = next_number(r);
        } else {
            while (r->at < r->size && r->bytes[r->at] != '\n') r->at++;
        }
    }
    if (r->width < 0 || r->height < 0 || depth < 1 || depth > 4 || maximum < 1 || maximum > 65535) return false;
    r->channels = (unsigned)depth;
    r->maximum = (unsigned)maximum;
    return true;
}

static bool read_header(reader *r) {
    const unsigned kind = r->bytes[1] - '0';
    r->at = 2;
    if (kind == 7 && !read_pam_header(r)) return false;
    if (kind != 7) {
        r->width = next_number(r);
        r->height = next_number(r);
        int64_t maximum = kind == 1 || kind == 4 ? 1 : next_number(r);
        if (r->width < 0 || r->height < 0 || maximum < 1 || maximum > 65535) return false;
        r->maximum = (unsigned)maximum;
        r->channels = kind == 3 || kind == 6 ? 3 : 1;
        r->plain = kind <= 3;
        r->bits = kind == 1 || kind == 4;
    }
    if (r->at == r->size) return true; /* no pixels follow; the rows will be found missing */
    if (!r->plain && !is_space(r->bytes[r->at++])) return false;
    return true;
}

/* The bytes that a row takes in the file; of a plain file the least that it can take. */
static uint64_t row_bytes(const reader *r) {
    if (r->bits && !r->plain) return ((uint64_t)r->width + 7) / 8;
    return (uint64_t)r->width * r->channels * (!r->plain && r->maximum > 255 ? 2 : 1);
}

/* Sample i of the row at row_at; a plain file's next sample, -1 where there is no number. */
static int64_t sample(reader *r, size_t row_at, size_t i) {
    const uint8_t *row = r->bytes + row_at;
    if (r->bits && !r->plain) return !(row[i / 8] >> (7 - i % 8) & 1);
    if (!r->plain) return r->maximum > 255 ? ad_be16(row + 2 * i) : row[i];
    if (!r->bits) return next_number(r);
    if (!skip_space(r) || (r->bytes[r->at] != '0' && r->bytes[r->at] != '1')) return -1;
    return r->bytes[r->at++] == '0'; /* plain bitmaps need no space between digits */
}

adatom_status ad_decode_pnm(ad_decoding *d) {
    reader r = {.bytes = d->bytes, .size = d->size};
    adatom_status status = ADATOM_OK;
    uint8_t *row = NULL;
    if (!read_header(&r)) {
        bool cut = !skip_space(&r);
        return ad_picture_fail(d, ADATOM_BAD_DATA, cut ? "is truncated" : "is a PNM picture with a damaged header");
    }
    AD_TRY(ad_picture_begin(d, r.width, r.height, 1, 1, 0));
    const size_t samples = (size_t)r.width * r.channels;
    row = ad_malloc(NULL, samples, 1);
    if (!row) return ad_picture_out_of_memory(d);
    for (int64_t y = 0; y < r.height; y++) {
        const uint64_t stored = row_bytes(&r);
        const size_t row_at = r.at;
        if (stored > r.size - r.at) {
            status = ad_picture_damaged(d, "is truncated");
            goto done;
        }
        for (size_t i = 0; i < samples; i++) {
            int64_t value = sample(&r, row_at, i);
            if (value < 0) {
                status = r.at == r.size ? ad_picture_damaged(d, "is truncated")
                                        : ad_picture_damaged(d, "is damaged (no number where one was expected)");
                goto done;
            }
            if (value > r.maximum) {
                AD_TRY(ad_picture_damaged(d, "is damaged (a sample is %lld, its maximum is %u)", (long long)value,
                                          r.maximum));
                value = r.maximum;
            }
            row[i] = (uint8_t)(((unsigned)value * 255 + r.maximum / 2) / r.maximum);
        }
        if (!r.plain) r.at += (size_t)stored;
        ad_picture_row(d, row, (int)r.channels);
    }
done:
    ad_free(row);
    return status;
}
