/* Decodes the first page of a TIFF with libtiff's RGBA interface. */
#include "io/decode.h"

#ifdef ADATOM_HAS_TIFF
#include <stdio.h>
#include <string.h>

#include <tiffio.h>

typedef struct reader {
    const uint8_t *bytes;
    uint64_t size, at;
    char text[160]; /* libtiff's first error message */
} reader;

static tmsize_t on_read(thandle_t handle, void *out, tmsize_t count) {
    reader *r = handle;
    uint64_t left = r->at < r->size ? r->size - r->at : 0, n = AD_MIN((uint64_t)AD_MAX(count, 0), left);
    memcpy(out, r->bytes + AD_MIN(r->at, r->size), (size_t)n);
    r->at += n;
    return (tmsize_t)n;
}

static tmsize_t on_write(thandle_t handle, void *bytes, tmsize_t count) {
    (void)handle;
    (void)bytes;
    (void)count;
    return -1;
}

static toff_t on_seek(thandle_t handle, toff_t offset, int whence) {
    reader *r = handle;
    r->at = whence == SEEK_CUR ? r->at + offset : whence == SEEK_END ? r->size + offset : offset;
    return r->at;
}

static int on_close(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t on_size(thandle_t handle) { return ((reader *)handle)->size; }

/* Gives libtiff the file in memory, so that it reads uncompressed strips without a copy. */
static int on_map(thandle_t handle, void **base, toff_t *size) {
    reader *r = handle;
    union {
        const uint8_t *constant;
        void *base;
    } both = {.constant = r->bytes};
    *base = both.base;
    *size = r->size;
    return 1;
}

static void on_unmap(thandle_t handle, void *base, toff_t size) {
    (void)handle;
    (void)base;
    (void)size;
}

static int on_error(TIFF *tiff, void *user, const char *module, const char *format, va_list args) {
    (void)tiff;
    (void)module;
    reader *r = user;
    if (!*r->text) vsnprintf(r->text, sizeof r->text, format, args);
    return 1;
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list args) {
    (void)tiff;
    (void)user;
    (void)module;
    (void)format;
    (void)args;
    return 1; /* warnings are of unknown tags and the like */
}

static adatom_status complain(ad_decoding *d, const reader *r) {
    bool cut = strstr(r->text, "ead error") || strstr(r->text, "of file") || strstr(r->text, "ot enough data") ||
               strstr(r->text, "eek error");
    if (!d->begun)
        return ad_picture_damaged(d, "is a TIFF picture with a damaged header (%s)",
                                  *r->text ? r->text : "no reason given");
    return ad_picture_damaged(d, cut ? "is truncated or damaged (%s)" : "is damaged (%s)",
                              *r->text ? r->text : "no reason given");
}

static adatom_status read_rows(ad_decoding *d, reader *r, TIFF *tiff) {
    uint32_t width = 0, height = 0;
    uint16_t orientation = 1;
    char reason[1024] = "";
    adatom_status status = ADATOM_OK;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height))
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a TIFF picture with a damaged header (it has no size)");
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ORIENTATION, &orientation);
    if (orientation < 1 || orientation > 8) orientation = 1;
    const uint64_t strip = (uint64_t)AD_MAX(TIFFStripSize64(tiff), TIFFTileSize64(tiff));
    AD_TRY(ad_picture_begin(d, width, height, 1, orientation,
                            (uint64_t)width * height * 5 + AD_MIN(strip, (uint64_t)1 << 40)));
    if (!TIFFRGBAImageOK(tiff, reason))
        return ad_picture_fail(d, ADATOM_BAD_DATA,
                               "is a TIFF picture of a sort that is not read (%.120s); convert it to PNG", reason);
    TIFFRGBAImage image;
    if (!TIFFRGBAImageBegin(&image, tiff, !d->params->allow_truncated, reason))
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a TIFF picture that cannot be read (%.120s)", reason);
    image.req_orientation = image.orientation; /* rows come as they are stored; ad_picture_row() turns the picture */
    uint32_t *raster = ad_calloc(NULL, (size_t)width, (size_t)height * sizeof *raster);
    if (!raster) {
        status = ad_picture_out_of_memory(d);
    } else {
        *r->text = 0;
        bool read = TIFFRGBAImageGet(&image, raster, width, height);
        if (!read || *r->text) status = complain(d, r);
    }
    /* libtiff multiplies colours by an unassociated alpha, but not grey values. */
    const bool greys = image.photometric == PHOTOMETRIC_MINISBLACK || image.photometric == PHOTOMETRIC_MINISWHITE;
    const bool apart = greys && image.alpha == EXTRASAMPLE_UNASSALPHA;
    for (uint32_t y = 0; status == ADATOM_OK && y < height; y++) {
        uint8_t *row = (uint8_t *)(raster + (size_t)y * width);
        for (uint32_t x = 0; x < width; x++) {
            uint32_t pixel = raster[(size_t)y * width + x], alpha = TIFFGetA(pixel);
            const uint8_t *b = d->params->background;
            const uint32_t colours[3] = {TIFFGetR(pixel), TIFFGetG(pixel), TIFFGetB(pixel)};
            for (int c = 0; c < 3; c++) {
                const uint32_t over = b[c] * (255 - alpha);
                row[3 * (size_t)x + (size_t)c] = (uint8_t)(apart ? (colours[c] * alpha + over + 127) / 255
                                                                 : AD_MIN(255u, colours[c] + (over + 127) / 255));
            }
        }
        ad_picture_row(d, row, 3);
    }
    ad_free(raster);
    TIFFRGBAImageEnd(&image);
done:
    return status;
}

adatom_status ad_decode_tiff(ad_decoding *d) {
    reader r = {.bytes = d->bytes, .size = d->size};
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return ad_picture_out_of_memory(d);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, &r);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, &r);
    TIFFOpenOptionsSetMaxSingleMemAlloc(
        options, (tmsize_t)AD_MIN(d->params->max_pixels * 16 + ((uint64_t)1 << 20), (uint64_t)1 << 40));
    TIFF *tiff =
        TIFFClientOpenExt("picture", "r", &r, on_read, on_write, on_seek, on_close, on_size, on_map, on_unmap, options);
    TIFFOpenOptionsFree(options);
    if (!tiff) return complain(d, &r);
    adatom_status status = read_rows(d, &r, tiff);
    TIFFClose(tiff);
    return status;
}
#else
typedef int ad_no_tiff; /* a translation unit may not be empty */
#endif
