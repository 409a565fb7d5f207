/* Decodes WebP with libwebp; of an animation the first frame, placed on its canvas. */
#include "io/decode.h"

#ifdef ADATOM_HAS_WEBP
#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

static adatom_status complain(ad_decoding *d, VP8StatusCode code) {
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY: return ad_picture_out_of_memory(d);
    case VP8_STATUS_SUSPENDED:
    case VP8_STATUS_NOT_ENOUGH_DATA: return ad_picture_damaged(d, "is truncated");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return ad_picture_damaged(d, "is a WebP picture of a sort that libwebp does not read");
    default: return ad_picture_damaged(d, "is damaged (WebP: the decoder gives up with code %d)", (int)code);
    }
}

/* Decodes the frame into its place on the canvas, whose pixels have `channels` bytes. */
static adatom_status decode_frame(ad_decoding *d, const WebPIterator *frame, uint8_t *canvas, int channels) {
    const size_t stride = (size_t)d->width * (size_t)channels;
    uint8_t *at = canvas + (size_t)frame->y_offset * stride + (size_t)(frame->x_offset * channels);
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config))
        return ad_picture_fail(d, ADATOM_FAILED, "cannot be decoded: libwebp is of another version");
    config.output.colorspace = channels == 4 ? MODE_RGBA : MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = at;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)(frame->height - 1) + (size_t)(frame->width * channels);
    VP8StatusCode code = VP8_STATUS_OUT_OF_MEMORY;
    /* The incremental decoder leaves what it has decoded of a file that ends too early. */
    if (d->params->allow_truncated) {
        WebPIDecoder *decoder = WebPIDecode(NULL, 0, &config);
        if (decoder) code = WebPIAppend(decoder, frame->fragment.bytes, frame->fragment.size);
        WebPIDelete(decoder);
    } else {
        code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    }
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? ADATOM_OK : complain(d, code);
}

static int orientation_of(const WebPDemuxer *demuxer) {
    WebPChunkIterator chunk;
    int orientation = 1;
    if (WebPDemuxGetChunk(demuxer, "EXIF", 1, &chunk)) {
        orientation = ad_exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return orientation;
}

adatom_status ad_decode_webp(ad_decoding *d) {
    const WebPData data = {d->bytes, d->size};
    adatom_status status = ADATOM_OK;
    WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
    WebPIterator frame = {0};
    uint8_t *canvas = NULL;
    bool cut = d->size < 12 || ad_le32(d->bytes + 4) > d->size - 8;
    WebPDemuxer *demuxer = WebPDemuxPartial(&data, &state);
    if (!demuxer || state < WEBP_DEMUX_PARSED_HEADER || !WebPDemuxGetFrame(demuxer, 1, &frame)) {
        status = cut ? ad_picture_fail(d, ADATOM_BAD_DATA, "is truncated")
                     : ad_picture_fail(d, ADATOM_BAD_DATA, "is a WebP picture with a damaged header");
        goto done;
    }
    const int64_t width = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                  height = WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT);
    const bool covers = frame.x_offset == 0 && frame.y_offset == 0 && frame.width == width && frame.height == height;
    const int channels = frame.has_alpha || !covers ? 4 : 3;
    AD_TRY(ad_picture_begin(d, width, height, 1, orientation_of(demuxer), (uint64_t)width * (uint64_t)height * 9));
    if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
        frame.width > width - frame.x_offset || frame.height > height - frame.y_offset)
        AD_TRY(ad_picture_fail(d, ADATOM_BAD_DATA, "is a WebP picture with a damaged header"));
    if (cut || (state != WEBP_DEMUX_DONE && WebPDemuxGetI(demuxer, WEBP_FF_FRAME_COUNT) < 2))
        AD_TRY(ad_picture_damaged(d, "is truncated"));
    const size_t stride = (size_t)width * (size_t)channels;
    if (!(canvas = ad_malloc(NULL, (size_t)height, stride))) AD_TRY(ad_picture_out_of_memory(d));
    if (channels == 4) {
        memset(canvas, 0, (size_t)height * stride); /* transparent */
    } else {
        for (size_t i = 0; i < (size_t)height * (size_t)width; i++) memcpy(canvas + 3 * i, d->params->background, 3);
    }
    AD_TRY(decode_frame(d, &frame, canvas, channels));
    for (int64_t y = 0; y < height; y++) ad_picture_row(d, canvas + (size_t)y * stride, channels);
done:
    WebPDemuxReleaseIterator(&frame);
    WebPDemuxDelete(demuxer);
    ad_free(canvas);
    return status;
}
#else
typedef int ad_no_webp; /* a translation unit may not be empty */
#endif
