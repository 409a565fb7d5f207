/* Decodes a picture to square uint8 RGB: chooses the decoder, and has what all decoders share. */
#include "io/decode.h"

#include <stdio.h>
#include <string.h>

adatom_status ad_picture_fail(ad_decoding *d, adatom_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    d->error->status = status;
    ad_vprint(d->error->text, sizeof d->error->text, format, args);
    va_end(args);
    return status;
}

adatom_status ad_picture_damaged(ad_decoding *d, const char *format, ...) {
    va_list args;
    va_start(args, format);
    ad_vprint(d->error->text, sizeof d->error->text, format, args);
    va_end(args);
    return d->error->status = d->begun && d->params->allow_truncated ? ADATOM_OK : ADATOM_BAD_DATA;
}

adatom_status ad_picture_out_of_memory(ad_decoding *d) {
    return ad_picture_fail(d, ADATOM_OUT_OF_MEMORY, "does not fit into memory");
}

adatom_status ad_picture_begin(ad_decoding *d, int64_t width, int64_t height, int shrink, int orientation,
                               uint64_t need) {
    const ad_image_params *p = d->params;
    if (width < 1 || height < 1)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is %lld x %lld pixels", (long long)width, (long long)height);
    if (width > INT32_MAX || height > INT32_MAX || (uint64_t)width * (uint64_t)height > p->max_pixels)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is %lld x %lld pixels, more than the %llu accepted",
                               (long long)width, (long long)height, (unsigned long long)p->max_pixels);
    /* The shorter side is scaled to fit, so that a long strip would become much longer than the square. */
    if (AD_MAX(width, height) / AD_MIN(width, height) > 1024)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a strip of %d x %d pixels", (int)width, (int)height);
    ad_budget_take(p->budget, need);
    d->taken = need;
    d->width = (int)((width + shrink - 1) / shrink);
    d->height = (int)((height + shrink - 1) / shrink);
    d->row = ad_malloc(NULL, (size_t)d->width, 3);
    if (!d->row || ad_fit_begin(&d->fit, p, (int)width, (int)height, shrink, orientation, d->out) != ADATOM_OK)
        return ad_picture_out_of_memory(d);
    d->begun = true;
    return ADATOM_OK;
}

void ad_picture_row(ad_decoding *d, const uint8_t *pixels, int channels) {
    const uint8_t *background = d->params->background;
    uint8_t *out = d->row;
    const int step = channels >= 3;
    if (channels == 3) {
        ad_fit_row(&d->fit, pixels);
        return;
    }
    for (int i = 0; i < d->width; i++, pixels += channels, out += 3) {
        unsigned alpha = channels == 2 || channels == 4 ? pixels[channels - 1] : 255;
        for (int c = 0; c < 3; c++)
            out[c] = (uint8_t)((pixels[c * step] * alpha + background[c] * (255 - alpha) + 127) / 255);
    }
    ad_fit_row(&d->fit, d->row);
}

static bool starts(const uint8_t *bytes, size_t size, size_t at, const char *magic, size_t length) {
    return size >= at + length && !memcmp(bytes + at, magic, length);
}
static bool is_jpeg(const uint8_t *b, size_t n) { return starts(b, n, 0, "\xFF\xD8\xFF", 3); }
static bool is_png(const uint8_t *b, size_t n) { return starts(b, n, 0, "\x89PNG", 4); }
static bool is_pnm(const uint8_t *b, size_t n) {
    return n >= 3 && b[0] == 'P' && b[1] >= '1' && b[1] <= '7' &&
           (b[2] == ' ' || b[2] == '#' || (b[2] >= '\t' && b[2] <= '\r'));
}
static bool is_bmp(const uint8_t *b, size_t n) { return starts(b, n, 0, "BM", 2); }
static bool is_gif(const uint8_t *b, size_t n) { return starts(b, n, 0, "GIF8", 4); }
static bool is_webp(const uint8_t *b, size_t n) { return starts(b, n, 0, "RIFF", 4) && starts(b, n, 8, "WEBP", 4); }
static bool is_tiff(const uint8_t *b, size_t n) {
    return starts(b, n, 0, "II*\0", 4) || starts(b, n, 0, "MM\0*", 4) || starts(b, n, 0, "II+\0", 4) ||
           starts(b, n, 0, "MM\0+", 4);
}
static bool is_heif(const uint8_t *b, size_t n) {
    static const char brands[][5] = {"avif", "avis", "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"};
    for (size_t i = 0; starts(b, n, 4, "ftyp", 4) && i < AD_COUNT(brands); i++)
        if (starts(b, n, 8, brands[i], 4)) return true;
    return false;
}

/* One row has two kinds where one library reads both. */
static const struct {
    const char *name, *library;
    bool (*is)(const uint8_t *bytes, size_t size);
    adatom_status (*decode)(ad_decoding *d); /* NULL: not in this build */
} kinds[] = {
    {"JPEG", "libjpeg", is_jpeg, ad_decode_jpeg},
    {"PNG", "libpng", is_png, ad_decode_png},
    {"PNM", "", is_pnm, ad_decode_pnm},
    {"BMP", "", is_bmp, ad_decode_bmp},
    {"GIF", "", is_gif, ad_decode_gif},
#ifdef ADATOM_HAS_WEBP
    {"WebP", "libwebp", is_webp, ad_decode_webp},
#else
    {"WebP", "libwebp", is_webp, NULL},
#endif
#ifdef ADATOM_HAS_TIFF
    {"TIFF", "libtiff", is_tiff, ad_decode_tiff},
#else
    {"TIFF", "libtiff 4.5", is_tiff, NULL},
#endif
#ifdef ADATOM_HAS_HEIF
    {"HEIC or AVIF", "libheif", is_heif, ad_decode_heif},
#else
    {"HEIC or AVIF", "libheif", is_heif, NULL},
#endif
};

const char *adatom_picture_kinds(void) {
    return "JPEG, PNG, BMP, GIF, PNM"
#ifdef ADATOM_HAS_WEBP
           ", WebP"
#endif
#ifdef ADATOM_HAS_TIFF
           ", TIFF"
#endif
#ifdef ADATOM_HAS_HEIF
           ", HEIC, AVIF"
#endif
        ;
}

bool ad_parse_background(const char *text, uint8_t rgb[3]) {
    static const struct {
        const char *name;
        uint32_t value;
    } names[] = {{"white", 0xFFFFFF}, {"black", 0}, {"grey", 0x808080}, {"gray", 0x808080}};
    static const char digits[] = "0123456789abcdef";
    uint32_t value = 0;
    bool known = false;
    if (!text) text = "white";
    for (size_t i = 0; i < AD_COUNT(names); i++) {
        if (!ad_same_letters(text, names[i].name, SIZE_MAX)) continue;
        value = names[i].value;
        known = true;
    }
    if (!known) {
        text += *text == '#';
        if (strlen(text) != 6) return false;
        for (; *text; text++) {
            const char *digit = strchr(digits, *text >= 'A' && *text <= 'F' ? *text - 'A' + 'a' : *text);
            if (!digit) return false;
            value = value << 4 | (uint32_t)(digit - digits);
        }
    }
    for (int c = 0; c < 3; c++) rgb[c] = (uint8_t)(value >> (16 - 8 * c));
    return true;
}

static void end(ad_decoding *d) {
    ad_fit_end(&d->fit);
    ad_free(d->row);
    ad_budget_give(d->params->budget, d->taken);
}

adatom_status ad_image_decode(const char *bytes, size_t bytes_size, const ad_image_params *params, uint8_t *out,
                              ad_image_error *error) {
    ad_decoding d = {.bytes = (const uint8_t *)bytes, .size = bytes_size, .params = params, .error = error, .out = out};
    *error = (ad_image_error){0};
    if (bytes_size == 0) return ad_picture_fail(&d, ADATOM_BAD_DATA, "is empty");
    size_t kind = 0;
    while (kind < AD_COUNT(kinds) && !kinds[kind].is(d.bytes, bytes_size)) kind++;
    const char *what = ad_sniff(bytes, bytes_size);
    if (kind == AD_COUNT(kinds))
        return ad_picture_fail(&d, ADATOM_BAD_DATA, "is %s, not an image of a kind that is read (%s)",
                               what ? what : "damaged or unknown", adatom_picture_kinds());
    if (!kinds[kind].decode)
        return ad_picture_fail(&d, ADATOM_BAD_DATA, "is %s; this build reads no %s (built without %s)", what,
                               kinds[kind].name, kinds[kind].library);
    adatom_status status = kinds[kind].decode(&d);
    if (status == ADATOM_OK && d.fit.row == 0) status = error->status = ADATOM_BAD_DATA; /* not even one row came */
    if (status == ADATOM_OK) {
        for (int i = 0; i < d.width; i++) memcpy(d.row + (size_t)i * 3, params->background, 3);
        while (d.fit.row < d.height) ad_fit_row(&d.fit, d.row);
    }
    end(&d);
    return status;
}

adatom_status ad_image_take(const ad_image_pixels *pixels, const ad_image_params *params, uint8_t *out,
                            ad_image_error *error) {
    ad_decoding d = {.params = params, .error = error, .out = out};
    *error = (ad_image_error){0};
    const adatom_status status = ad_picture_begin(&d, pixels->width, pixels->height, 1, 1, 0);
    const size_t stride = (size_t)pixels->width * (size_t)pixels->channels;
    for (int r = 0; status == ADATOM_OK && r < d.height; r++)
        ad_picture_row(&d, pixels->rows + (size_t)r * stride, pixels->channels);
    end(&d);
    return status;
}
