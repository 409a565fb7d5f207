/* What the decoders of pictures share. A decoder reads the header, describes the picture and the memory that it needs
 * with ad_picture_begin(), and hands over the rows with ad_picture_row(), from the top. Rows are scaled as they come,
 * so that no decoder must hold a whole picture only because of the scaling. */
#ifndef AD_IO_DECODE_H
#define AD_IO_DECODE_H

#include "io/dataset.h"

/* One axis of the scaling: output pixel i is the weighted sum of taps[i] input pixels from first[i] on. See
 * ad_image_fit(). */
typedef struct ad_axis {
    int taps_max;
    int *first, *taps;
    float *weights; /* [count][taps_max] */
} ad_axis;
/* The scaling of one picture to a square. */
typedef struct ad_fit {
    int width, height, size, orientation;
    bool copy;      /* the picture already has the square's size: rows are copied */
    int row;        /* number of the next row to come */
    int done;       /* how many rows of the square, in the order of storage, are finished */
    int open_max;   /* how many rows of the square one row of the picture can contribute to */
    float *sums;    /* [open_max][size * 3], row i of the square at i % open_max */
    float *scaled;  /* [size * 3]: a row after the horizontal filter */
    float *numbers; /* [width * 3 + 1]: a row as it came */
    uint8_t *bytes; /* [size * 3]: a finished row */
    uint8_t *out;
    ad_axis x, y;
} ad_fit;
/* Prepares the scaling of a picture of width x height pixels, as it is stored. (width/shrink) x (height/shrink) pixels,
 * rounded up, come as rows: a decoder that scales by itself makes one pixel of `shrink` pixels an axis. orientation:
 * EXIF's, 1 to 8. Call ad_fit_end() also on failure. */
adatom_status ad_fit_begin(ad_fit *fit, int width, int height, int shrink, int orientation, int size, int resize,
                           uint8_t *out);
void ad_fit_row(ad_fit *fit, const uint8_t *rgb);
void ad_fit_end(ad_fit *fit);

typedef struct ad_decoding {
    const uint8_t *bytes;
    size_t size;
    const ad_image_params *params;
    ad_image_error *error;
    uint8_t *out;
    uint64_t taken;    /* bytes taken from the budget */
    int width, height; /* the rows' pixels and their number */
    uint8_t *row;      /* [width][3] */
    bool begun;
    ad_fit fit;
} ad_decoding;

/* Keeps what is wrong, e.g. "is truncated", which follows the picture's name, and returns status. */
adatom_status ad_picture_fail(ad_decoding *d, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
/* The same for a damaged or truncated picture. Returns BAD_DATA; or, once ad_picture_begin() has succeeded and the
 * parameters allow damage, OK: the decoder then hands over the rows that it has and returns OK, and the missing rows
 * get the background's colour. */
adatom_status ad_picture_damaged(ad_decoding *d, const char *format, ...) ADATOM_PRINTF(2, 3);
adatom_status ad_picture_out_of_memory(ad_decoding *d);
/* Announces a picture of width x height pixels, of which `shrink` an axis become one pixel of the rows that come.
 * Refuses absurd sizes, waits until the budget has `need` bytes, the most that the decoder will hold at once, and
 * prepares for the rows. */
adatom_status ad_picture_begin(ad_decoding *d, int64_t width, int64_t height, int shrink, int orientation,
                               uint64_t need);
/* Takes the next row; rows beyond the last one are ignored. channels: 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with
 * alpha. */
void ad_picture_row(ad_decoding *d, const uint8_t *pixels, int channels);

/* exif.c. The orientation in an EXIF block, with or without "Exif\0\0" before it: 1 to 8; 1 where it is absent or
 * damaged. */
int ad_exif_orientation(const uint8_t *bytes, size_t size);

/* decode_*.c: one decoder for each kind. ad_decode_webp, ad_decode_tiff and ad_decode_heif exist only where the build
 * has their libraries. */
adatom_status ad_decode_jpeg(ad_decoding *d);
adatom_status ad_decode_png(ad_decoding *d);
adatom_status ad_decode_pnm(ad_decoding *d);
adatom_status ad_decode_bmp(ad_decoding *d);
adatom_status ad_decode_gif(ad_decoding *d);
adatom_status ad_decode_webp(ad_decoding *d);
adatom_status ad_decode_tiff(ad_decoding *d);
adatom_status ad_decode_heif(ad_decoding *d);

static inline unsigned ad_be16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static inline uint32_t ad_be32(const uint8_t *p) { return (uint32_t)ad_be16(p) << 16 | ad_be16(p + 2); }
static inline unsigned ad_le16(const uint8_t *p) { return (unsigned)p[1] << 8 | p[0]; }
static inline uint32_t ad_le32(const uint8_t *p) { return (uint32_t)ad_le16(p + 2) << 16 | ad_le16(p); }
#endif
