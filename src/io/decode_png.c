/* Decodes PNG with libpng: checksums are verified, 16 bits become 8, palette indices become colours. */
#include "io/decode.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>
#include <zlib.h>

typedef struct reader {
    ad_decoding *d;
    png_structp png;
    png_infop info;
    jmp_buf escape;
    size_t at;
    bool truncated, damaged, out_of_memory;
    int channels, passes;
    uint8_t *rows; /* one row; of an interlaced picture all rows */
    char text[100];
} reader;

_Noreturn static void on_error(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    snprintf(r->text, sizeof r->text, "%s", text);
    longjmp(r->escape, 1);
}

/* The libpng warnings that count as damage: those after which pixels are wrong. */
static void on_warning(png_structp png, png_const_charp text) {
    reader *r = png_get_error_ptr(png);
    bool pixels = (!strncmp(text, "IDAT", 4) && !strstr(text, "xtra compressed")) || strstr(text, "CRC error") ||
                  strstr(text, "palette index");
    if (!pixels) return;
    if (!r->damaged) snprintf(r->text, sizeof r->text, "%s", text);
    r->damaged = true;
    if (!r->d->params->allow_truncated) longjmp(r->escape, 1);
}

static void on_read(png_structp png, png_bytep out, size_t count) {
    reader *r = png_get_io_ptr(png);
    if (count > r->d->size - r->at) {
        r->truncated = true;
        png_error(png, "the end is missing");
    }
    memcpy(out, r->d->bytes + r->at, count);
    r->at += count;
}

static png_voidp on_malloc(png_structp png, png_alloc_size_t size) {
    reader *r = png_get_mem_ptr(png);
    void *memory = ad_malloc(NULL, size, 1);
    if (!memory) r->out_of_memory = true;
    return memory;
}
static void on_free(png_structp png, png_voidp memory) {
    (void)png;
    ad_free(memory);
}

/* Reads EXIF as older versions of ImageMagick write it: "\nexif\n    LENGTH\n", then hexadecimal digits in lines. */
static int orientation_of_profile(const uint8_t *text, size_t size) {
    uint8_t block[4096];
    size_t at = 0, count = 0;
    for (int lines = 0; lines < 3 && at < size; at++) lines += text[at] == '\n';
    for (int digits = 0; at < size && count < sizeof block; at++) {
        unsigned c = text[at], value;
        if (c >= '0' && c <= '9') {
            value = c - '0';
        } else if ((c | 32) >= 'a' && (c | 32) <= 'f') {
            value = (c | 32) - 'a' + 10;
        } else {
            continue;
        }
        block[count] = (uint8_t)(digits ? block[count] << 4 | value : value);
        count += (size_t)digits;
        digits = !digits;
    }
    return ad_exif_orientation(block, count);
}

/* The orientation. It is looked up before decoding, since rows are turned as they come and its chunk may follow the
 * pixels. libpng verifies the chunk's checksum later. */
static int orientation_of(const uint8_t *bytes, size_t size) {
    static const char profile[] = "Raw profile type exif";
    int orientation = 1;
    for (size_t at = 8; at <= size && size - at >= 12;) {
        size_t length = ad_be32(bytes + at);
        const uint8_t *type = bytes + at + 4, *data = type + 4;
        if (length > size - at - 12) break;
        if (!memcmp(type, "eXIf", 4)) return ad_exif_orientation(data, length);
        if (length > sizeof profile && !memcmp(data, profile, sizeof profile)) {
            data += sizeof profile;
            size_t left = length - sizeof profile;
            if (!memcmp(type, "tEXt", 4)) orientation = orientation_of_profile(data, left);
            if (!memcmp(type, "zTXt", 4) && left > 1) {
                uint8_t text[8192]; /* enough: the orientation is in EXIF's first block */
                z_stream stream = {.next_in = (z_const Bytef *)data + 1,
                                   .avail_in = (uInt)left - 1,
                                   .next_out = text,
                                   .avail_out = sizeof text};
                if (inflateInit(&stream) != Z_OK) break;
                inflate(&stream, Z_SYNC_FLUSH);
                orientation = orientation_of_profile(text, sizeof text - stream.avail_out);
                inflateEnd(&stream);
            }
        }
        at += 12 + length;
    }
    return orientation;
}

static adatom_status complain(ad_decoding *d, const reader *r) {
    if (r->out_of_memory) return ad_picture_out_of_memory(d);
    if (r->truncated) return ad_picture_damaged(d, "is truncated");
    if (!d->begun) return ad_picture_damaged(d, "is a PNG picture with a damaged header (%s)", r->text);
    return ad_picture_damaged(d, "is damaged (%s)", r->text);
}

/* Chunks that do not affect the pixels are skipped; their checksums are verified all the same. */
static void choose_chunks(png_structp png) {
    static const png_byte passed_over[] =
        "bKGD\0cHRM\0eXIf\0gAMA\0hIST\0iCCP\0iTXt\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tEXt\0tIME\0zTXt";
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, passed_over, sizeof passed_over / 5);
}

/* Where libpng gives up, control leaves by longjmp to r->escape. */
static adatom_status read_rows(ad_decoding *d, reader *r) {
    png_structp png = r->png;
    adatom_status status = ADATOM_OK;
    png_set_read_fn(png, r, on_read);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* ad_picture_begin() limits the size instead */
    choose_chunks(png);
    if (d->params->allow_truncated) {
        png_set_crc_action(png, PNG_CRC_WARN_USE, PNG_CRC_WARN_DISCARD);
        png_set_compression_buffer_size(png, 64); /* small pieces, since a truncated piece is lost as a whole */
    } else {
        png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    }
    png_read_info(png, r->info);
    const int64_t width = png_get_image_width(png, r->info), height = png_get_image_height(png, r->info);
    const bool interlaced = png_get_interlace_type(png, r->info) != PNG_INTERLACE_NONE;
    const uint64_t rows = interlaced ? (uint64_t)height : 1;
    /* This comes before libpng allocates rows of that width. */
    AD_TRY(ad_picture_begin(d, width, height, 1, orientation_of(d->bytes, d->size), (uint64_t)width * 4 * (rows + 8)));
    png_set_expand(png);
    png_set_scale_16(png);
    r->passes = png_set_interlace_handling(png);
    png_read_update_info(png, r->info);
    r->channels = png_get_channels(png, r->info);
    const size_t stride = png_get_rowbytes(png, r->info);
    if (stride != (size_t)width * (size_t)r->channels) png_error(png, "its sizes contradict each other");
    if (!(r->rows = ad_calloc(NULL, (size_t)rows, stride))) return ad_picture_out_of_memory(d);
    for (int pass = 0; pass < r->passes; pass++) {
        for (int64_t y = 0; y < height; y++) {
            png_read_row(png, r->rows + (interlaced ? (size_t)y * stride : 0), NULL);
            if (!interlaced) ad_picture_row(d, r->rows, r->channels);
        }
    }
    png_read_end(png, NULL);
    if (r->damaged) status = complain(d, r);
done:
    return status;
}

adatom_status ad_decode_png(ad_decoding *d) {
    adatom_status status;
    reader *r = ad_calloc(NULL, 1, sizeof *r);
    if (!r) return ad_picture_out_of_memory(d);
    r->d = d;
    if (setjmp(r->escape)) {
        status = complain(d, r);
        goto done;
    }
    r->png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, r, on_error, on_warning, r, on_malloc, on_free);
    if (r->png) r->info = png_create_info_struct(r->png);
    status = r->info ? read_rows(d, r) : ad_picture_out_of_memory(d);
done:
    if (status == ADATOM_OK && r->passes > 1) {
        const size_t stride = (size_t)d->width * (size_t)r->channels;
        for (int y = 0; r->rows && y < d->height; y++) ad_picture_row(d, r->rows + (size_t)y * stride, r->channels);
    }
    if (r->png) png_destroy_read_struct(&r->png, &r->info, NULL);
    ad_free(r->rows);
    ad_free(r);
    return status;
}
