/* HEIC and AVIF by libheif, which turns the pictures itself as their boxes say: EXIF's orientation must not be applied a second time. */
#include "io/decode.h"

#ifdef ADATOM_HAS_HEIF
#include <libheif/heif.h>
#include <string.h>

static adatom_status complain(ad_decoding *d, struct heif_error error) {
    if (error.code == heif_error_Memory_allocation_error && error.subcode != heif_suberror_Security_limit_exceeded)
        return ad_picture_out_of_memory(d);
    const char *text = error.message ? error.message : "no reason given";
    if (error.subcode == heif_suberror_End_of_data) return ad_picture_damaged(d, "is truncated (%.120s)", text);
    if (error.code == heif_error_Unsupported_feature || error.code == heif_error_Unsupported_filetype ||
        error.code == heif_error_Decoder_plugin_error || error.code == heif_error_Plugin_loading_error)
        return ad_picture_damaged(d, "is a HEIC or AVIF picture that libheif cannot read (%.120s)", text);
    return ad_picture_damaged(d, "is damaged (%.120s)", text);
}

adatom_status ad_decode_heif(ad_decoding *d) {
    adatom_status status = ADATOM_OK;
    struct heif_image_handle *handle = NULL;
    struct heif_image *image = NULL;
    struct heif_decoding_options *options = NULL;
    struct heif_context *heif = heif_context_alloc();
    if (!heif) return ad_picture_out_of_memory(d);
    heif_context_set_max_decoding_threads(heif, 0);
    struct heif_error error = heif_context_read_from_memory_without_copy(heif, d->bytes, d->size, NULL);
    if (error.code == heif_error_Ok) error = heif_context_get_primary_image_handle(heif, &handle);
    if (error.code != heif_error_Ok) AD_TRY(complain(d, error));
    const int64_t width = heif_image_handle_get_width(handle), height = heif_image_handle_get_height(handle);
    const bool alpha = heif_image_handle_has_alpha_channel(handle);
    const int channels = alpha ? 4 : 3;
    AD_TRY(ad_picture_begin(d, width, height, 1, 1, (uint64_t)AD_MAX(width, 0) * (uint64_t)AD_MAX(height, 0) * 12));
    if (!(options = heif_decoding_options_alloc())) AD_TRY(ad_picture_out_of_memory(d));
    options->convert_hdr_to_8bit = 1;
    error =
        heif_decode_image(handle, &image, heif_colorspace_RGB, alpha ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB, options);
    if (error.code != heif_error_Ok) AD_TRY(complain(d, error));
    if (!image) goto done; /* damaged, which is allowed: there is nothing of it */
    int stride = 0;
    const uint8_t *plane = heif_image_get_plane_readonly(image, heif_channel_interleaved, &stride);
    if (!plane || heif_image_get_width(image, heif_channel_interleaved) != d->width ||
        heif_image_get_height(image, heif_channel_interleaved) != d->height || stride < d->width * channels)
        AD_TRY(ad_picture_fail(d, ADATOM_BAD_DATA, "is damaged (its sizes contradict each other)"));
    for (int y = 0; y < d->height; y++) ad_picture_row(d, plane + (size_t)y * (size_t)stride, channels);
done:
    if (image) heif_image_release(image);
    if (options) heif_decoding_options_free(options);
    if (handle) heif_image_handle_release(handle);
    heif_context_free(heif);
    return status;
}
#else
typedef int ad_no_heif; /* a translation unit may not be empty */
#endif
