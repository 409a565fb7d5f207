/* Decodes JPEG with libjpeg-turbo. Most of its warnings count as damage here. */
#include "io/decode.h"

#include <setjmp.h>
#include <stdio.h> /* jpeglib.h needs FILE */
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

enum {
    /* libjpeg scales by 2, 4 or 8 only as long as at least this many pixels an axis remain for one of the result; of
       large pictures fewer, as they save most. */
    OVERSAMPLING = 4,
    OVERSAMPLING_LARGE = 2,
    LARGE_PIXELS = 4 << 20,
    SCANS_MAX = 200, /* an encoder makes about ten; decoding each costs as much as a picture */
};

typedef struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    bool truncated, damaged, out_of_memory, tolerant;
    int scan;            /* number of the last scan that was noted */
    unsigned components; /* a bit for each component that occurred in a scan */
    uint8_t *row;
    char text[JMSG_LENGTH_MAX];
} reader;

_Noreturn static void on_error(j_common_ptr common) {
    reader *r = common->client_data;
    r->out_of_memory = common->err->msg_code == JERR_OUT_OF_MEMORY || common->err->msg_code == JERR_NO_BACKING_STORE;
    common->err->format_message(common, r->text);
    longjmp(r->escape, 1);
}

static void on_message(j_common_ptr common, int level) {
    reader *r = common->client_data;
    if (level >= 0) return;
    switch (common->err->msg_code) { /* these warnings say nothing about the pixels */
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_ICC:
    case JWRN_JFIF_MAJOR:
    case JWRN_NOT_SEQUENTIAL: return;
    default: break;
    }
    if (!r->damaged) common->err->format_message(common, r->text);
    r->damaged = true;
    if (!r->tolerant) longjmp(r->escape, 1);
}

static void no_output(j_common_ptr common) { (void)common; }
static void no_source(j_decompress_ptr jpeg) { (void)jpeg; }

static boolean fill(j_decompress_ptr jpeg) {
    static const JOCTET end[] = {0xFF, JPEG_EOI};
    reader *r = jpeg->client_data;
    if (!r->truncated) snprintf(r->text, sizeof r->text, "the end is missing");
    r->truncated = true;
    if (!r->tolerant) longjmp(r->escape, 1);
    jpeg->src->next_input_byte = end;
    jpeg->src->bytes_in_buffer = sizeof end;
    return TRUE;
}

static void skip(j_decompress_ptr jpeg, long count) {
    if (count <= 0) return;
    if ((size_t)count > jpeg->src->bytes_in_buffer) {
        fill(jpeg);
        return;
    }
    jpeg->src->next_input_byte += count;
    jpeg->src->bytes_in_buffer -= (size_t)count;
}

static void note_scan(j_decompress_ptr jpeg) {
    reader *r = jpeg->client_data;
    r->scan = jpeg->input_scan_number;
    for (int i = 0; i < jpeg->comps_in_scan; i++) r->components |= 1u << jpeg->cur_comp_info[i]->component_index;
}

/* libjpeg calls this repeatedly while it reads the scans of a picture. */
static void on_progress(j_common_ptr common) {
    reader *r = common->client_data;
    j_decompress_ptr jpeg = &r->jpeg;
    if (!common->is_decompressor || jpeg->input_scan_number == r->scan) return;
    if (jpeg->input_scan_number > SCANS_MAX) {
        snprintf(r->text, sizeof r->text, "it has more than %d scans", SCANS_MAX);
        r->damaged = true;
        longjmp(r->escape, 1);
    }
    note_scan(jpeg);
}

static int orientation_of(const struct jpeg_decompress_struct *jpeg) {
    for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next) {
        if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 && !memcmp(m->data, "Exif\0\0", 6))
            return ad_exif_orientation(m->data, m->data_length);
    }
    return 1;
}

/* Bytes that libjpeg will hold: a few rows, and all coefficients of a picture with several scans. */
static uint64_t need_of(j_decompress_ptr jpeg) {
    uint64_t need = (uint64_t)jpeg->image_width * (unsigned)jpeg->num_components * 64;
    for (int c = 0; jpeg_has_multiple_scans(jpeg) && c < jpeg->num_components; c++) {
        const jpeg_component_info *info = &jpeg->comp_info[c];
        need += (uint64_t)(info->width_in_blocks + (unsigned)info->h_samp_factor) *
                (info->height_in_blocks + (unsigned)info->v_samp_factor) * sizeof(JBLOCK);
    }
    return need;
}

/* Whether the scans brought every bit of every coefficient: a file may be cut between scans and yet end properly. */
static bool is_complete(const reader *r) {
    const struct jpeg_decompress_struct *jpeg = &r->jpeg;
    if (r->components + 1 != 1u << jpeg->num_components) return false;
    for (int c = 0; jpeg->progressive_mode && c < jpeg->num_components; c++)
        for (int k = 0; k < DCTSIZE2; k++)
            if (jpeg->coef_bits[c][k] != 0) return false;
    return true;
}

/* a * b / 255, rounded. */
static uint8_t scaled(unsigned a, unsigned b) { return (uint8_t)((a * b + 127) / 255); }

/* Turns CMYK into RGB in place. Files with four components hold 255 minus the ink, as Adobe's programs write them,
 * which is the light that comes through. */
static void light_to_rgb(uint8_t *row, int width) {
    uint8_t *out = row;
    for (int i = 0; i < width; i++, row += 4, out += 3) {
        unsigned black = row[3];
        for (int c = 0; c < 3; c++) out[c] = scaled(row[c], black);
    }
}

static adatom_status complain(ad_decoding *d, const reader *r) {
    if (r->out_of_memory) return ad_picture_out_of_memory(d);
    if (r->truncated) return ad_picture_damaged(d, "is truncated");
    if (!d->begun && !r->damaged)
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a JPEG picture that cannot be read (%s)", r->text);
    return ad_picture_damaged(d, "is damaged (%s)", r->text);
}

/* Reads everything from the header on. Where libjpeg gives up, control leaves by longjmp to r->escape. */
static adatom_status read_rows(ad_decoding *d, reader *r) {
    j_decompress_ptr jpeg = &r->jpeg;
    adatom_status status = ADATOM_OK;
    jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(jpeg, TRUE);
    int channels = 3;
    if (jpeg->num_components == 1) {
        jpeg->out_color_space = JCS_GRAYSCALE;
        channels = 1;
    } else if (jpeg->num_components == 4) {
        jpeg->out_color_space = JCS_CMYK;
        channels = 4;
    } else if (jpeg->num_components == 3) {
        jpeg->out_color_space = JCS_RGB;
    } else {
        return ad_picture_fail(d, ADATOM_BAD_DATA, "is a JPEG picture with %d components; 1, 3 and 4 are read",
                               jpeg->num_components);
    }
    int shrink = 8;
    const bool large = (uint64_t)jpeg->image_width * jpeg->image_height >= LARGE_PIXELS;
    const int64_t wanted = (int64_t)(large ? OVERSAMPLING_LARGE : OVERSAMPLING) * d->params->resize;
    const int64_t shorter = AD_MIN(jpeg->image_width, jpeg->image_height);
    while (shrink > 1 && shorter / shrink < wanted) shrink /= 2;
    jpeg->scale_num = 1;
    jpeg->scale_denom = (unsigned)shrink;
    AD_TRY(ad_picture_begin(d, jpeg->image_width, jpeg->image_height, shrink, orientation_of(jpeg), need_of(jpeg)));
    r->progress.progress_monitor = on_progress;
    jpeg->progress = &r->progress;
    note_scan(jpeg);
    jpeg_start_decompress(jpeg);
    if (jpeg->output_width != (unsigned)d->width || jpeg->output_height != (unsigned)d->height ||
        jpeg->output_components != channels)
        return ad_picture_fail(d, ADATOM_BAD_DATA,
                               "is a JPEG picture that cannot be read (its sizes contradict each other)");
    r->row = ad_malloc(NULL, (size_t)d->width, (size_t)channels);
    if (!r->row) return ad_picture_out_of_memory(d);
    while (jpeg->output_scanline < jpeg->output_height) {
        jpeg_read_scanlines(jpeg, &r->row, 1);
        if (channels == 4) light_to_rgb(r->row, d->width);
        ad_picture_row(d, r->row, channels == 4 ? 3 : channels);
    }
    bool complete = is_complete(r); /* asked before the next call frees what it reads */
    jpeg_finish_decompress(jpeg);
    if (r->truncated || r->damaged) return complain(d, r);
    if (!complete) return ad_picture_damaged(d, "is truncated (scans are missing)");
done:
    return status;
}

adatom_status ad_decode_jpeg(ad_decoding *d) {
    adatom_status status;
    reader *r = ad_calloc(NULL, 1, sizeof *r);
    if (!r) return ad_picture_out_of_memory(d);
    r->tolerant = d->params->allow_truncated;
    r->jpeg.err = jpeg_std_error(&r->errors);
    r->errors.error_exit = on_error;
    r->errors.emit_message = on_message;
    r->errors.output_message = no_output;
    r->jpeg.client_data = r;
    if (setjmp(r->escape)) {
        status = complain(d, r);
        goto done;
    }
    jpeg_create_decompress(&r->jpeg);
    r->source = (struct jpeg_source_mgr){.next_input_byte = d->bytes,
                                         .bytes_in_buffer = d->size,
                                         .init_source = no_source,
                                         .fill_input_buffer = fill,
                                         .skip_input_data = skip,
                                         .resync_to_restart = jpeg_resync_to_restart,
                                         .term_source = no_source};
    r->jpeg.src = &r->source;
    status = read_rows(d, r);
done:
    jpeg_destroy_decompress(&r->jpeg);
    ad_free(r->row);
    ad_free(r);
    return status;
}
