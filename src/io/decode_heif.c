/* Decodes HEIC and AVIF with libheif. libheif itself turns the pictures as their boxes say, so that EXIF's orientation
 * must not be applied a second time. The library is loaded when the first such picture comes: linked, it and the codecs
 * behind it would nearly double the time that every command takes to start. */
#include "io/decode.h"

#ifdef ADATOM_HAS_HEIF
#include <dlfcn.h>
#include <libheif/heif.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libheif.so.1"
/* The functions of libheif that are used, without "heif_". */
#define FUNCTIONS(X)                                                                                                   \
    X(context_alloc)                                                                                                   \
    X(context_free)                                                                                                    \
    X(context_read_from_memory_without_copy)                                                                           \
    X(context_get_primary_image_handle)                                                                                \
    X(context_set_max_decoding_threads)                                                                                \
    X(image_handle_get_width)                                                                                          \
    X(image_handle_get_height)                                                                                         \
    X(image_handle_has_alpha_channel)                                                                                  \
    X(image_handle_release)                                                                                            \
    X(decoding_options_alloc)                                                                                          \
    X(decoding_options_free)                                                                                           \
    X(decode_image)                                                                                                    \
    X(image_get_plane_readonly)                                                                                        \
    X(image_get_width)                                                                                                 \
    X(image_get_height)                                                                                                \
    X(image_release)
#define POINTER(name) __typeof__(&heif_##name) name;
typedef struct library {
    FUNCTIONS(POINTER)
} library;

/* Loads the library, which stays loaded; false: it is not there or lacks a function. */
static bool load(library *out) {
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle) return false;
    bool found = true;
#define FIND(name)                                                                                                     \
    {                                                                                                                  \
        void *symbol = dlsym(handle, "heif_" #name);                                                                   \
        memcpy(&out->name, &symbol, sizeof symbol);                                                                    \
        found = found && symbol;                                                                                       \
    }
    FUNCTIONS(FIND)
    dlclose(handle);
    return found;
}

static adatom_status complain(ad_decoding *d, struct heif_error error) {
    if (error.code == heif_error_Memory_allocation_error && error.subcode != heif_suberror_Security_limit_exceeded)
        return ad_picture_out_of_memory(d);
    char text[121]; /* some versions end the message with a new line */
    snprintf(text, sizeof text, "%s", error.message ? error.message : "no reason given");
    text[strcspn(text, "\n")] = 0;
    if (error.subcode == heif_suberror_End_of_data) return ad_picture_damaged(d, "is truncated (%s)", text);
    if (error.code == heif_error_Unsupported_feature || error.code == heif_error_Unsupported_filetype ||
        error.code == heif_error_Decoder_plugin_error || error.code == heif_error_Plugin_loading_error)
        return ad_picture_damaged(d, "is a HEIC or AVIF picture that libheif cannot read (%s)", text);
    return ad_picture_damaged(d, "is damaged (%s)", text);
}

adatom_status ad_decode_heif(ad_decoding *d) {
    adatom_status status = ADATOM_OK;
    struct heif_image_handle *handle = NULL;
    struct heif_image *image = NULL;
    struct heif_decoding_options *options = NULL;
    library lib;
    if (!load(&lib))
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is %s; to read it " LIBRARY " is needed, which cannot be loaded",
                               ad_sniff((const char *)d->bytes, d->size));
    struct heif_context *heif = lib.context_alloc();
    if (!heif) return ad_picture_out_of_memory(d);
    lib.context_set_max_decoding_threads(heif, 0);
    struct heif_error error = lib.context_read_from_memory_without_copy(heif, d->bytes, d->size, NULL);
    if (error.code == heif_error_Ok) error = lib.context_get_primary_image_handle(heif, &handle);
    if (error.code != heif_error_Ok) AD_TRY(complain(d, error));
    const int64_t width = lib.image_handle_get_width(handle), height = lib.image_handle_get_height(handle);
    const bool alpha = lib.image_handle_has_alpha_channel(handle);
    const int channels = alpha ? 4 : 3;
    AD_TRY(ad_picture_begin(d, width, height, 1, 1, (uint64_t)AD_MAX(width, 0) * (uint64_t)AD_MAX(height, 0) * 12));
    if (!(options = lib.decoding_options_alloc())) AD_TRY(ad_picture_out_of_memory(d));
    options->convert_hdr_to_8bit = 1;
    error = lib.decode_image(handle, &image, heif_colorspace_RGB,
                             alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options);
    if (error.code != heif_error_Ok) AD_TRY(complain(d, error));
    if (!image) goto done; /* damaged, which is allowed, and without any row */
    int stride = 0;
    const uint8_t *plane = lib.image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    if (!plane || lib.image_get_width(image, heif_channel_interleaved) != d->width ||
        lib.image_get_height(image, heif_channel_interleaved) != d->height || stride < d->width * channels)
        AD_TRY(ad_picture_fail(d, ADATOM_BAD_DATA, "is damaged (its sizes contradict each other)"));
    for (int y = 0; y < d->height; y++) ad_picture_row(d, plane + (size_t)y * (size_t)stride, channels);
done:
    if (image) lib.image_release(image);
    if (options) lib.decoding_options_free(options);
    if (handle) lib.image_handle_release(handle);
    lib.context_free(heif);
    return status;
}
#else
typedef int ad_no_heif; /* a translation unit may not be empty */
#endif
