/* What the decoders of pictures share. A decoder reads the header, says with ad_picture_begin what the picture is and
 * needs, and gives its rows from the top, one after the other; they are scaled as they come, so that no decoder has to
 * hold a whole picture only for us. */
#ifndef AD_IO_DECODE_H
#define AD_IO_DECODE_H

#include "io/dataset.h"

/* axis.c: one axis of a filter. Pixel i of the square reads taps[i] pixels of the picture from first[i] on. */
typedef struct ad_axis {
    int taps_max;
    int *first, *taps;
    float *weights;         /* [count][taps_max], or NULL */
    int32_t *whole_weights; /* the same times 2^AD_WHOLE_BITS, rounded, where bytes are to be Pillow's; else NULL */
} ad_axis;
enum { AD_WHOLE_BITS = 22 };
/* Where an axis of the square lies: it is pixels offset .. offset+count-1 of `scaled` pixels to which the `extent`
 * pixels of the picture are scaled. Of those, `in` come, each standing for `shrink` of them, the last maybe for fewer.
 */
typedef struct ad_axis_place {
    int extent, scaled, offset, count, in, shrink;
    bool reversed; /* the pixels come in the other direction than they are shown in; offset counts as they come */
} ad_axis_place;
/* A triangle as wide as the reduction, in floating point. */
adatom_status ad_axis_make(const ad_axis_place *place, ad_axis *out);
/* Pillow's filters with its weights: a triangle, or a cubic (a = -1/2) of twice that width. */
adatom_status ad_axis_make_whole(const ad_axis_place *place, bool cubic, ad_axis *out);
void ad_axis_free(ad_axis *axis);

/* Numbers of one of two kinds: float, or whole numbers where bytes are to be Pillow's. */
typedef union ad_row_numbers {
    float *real;
    int32_t *whole;
} ad_row_numbers;
/* Scales rows to a square: see ad_image_fit. */
typedef struct ad_fit {
    int width, height, size, orientation;
    bool copy;              /* the picture is as large as the square */
    bool whole;             /* the computation is Pillow's, in whole numbers */
    int row;                /* the next one to come */
    int done;               /* rows of the square (as stored) that are finished */
    int open_max;           /* how many of them one row of the picture can touch */
    bool vertical_first;    /* the columns of the picture, as stored, are scaled before its rows */
    size_t stride;          /* numbers of a row of sums: as wide as the square, or the picture's where it comes first */
    ad_row_numbers sums;    /* [open_max][stride], row i of the square at i % open_max */
    ad_row_numbers scaled;  /* [size * 3]: a row after the horizontal filter */
    ad_row_numbers numbers; /* [width * 3 + 1]: a row as it came */
    uint8_t *bytes;         /* [size * 3]: a finished row */
    uint8_t *out;
    ad_axis x, y;
} ad_fit;
/* What the picture is before scaling: width x height pixels as stored, of which rows of row_width pixels come,
 * row_height of them (fewer where the decoder itself scales, each pixel then standing for 1/shrink of the picture's).
 * orientation: EXIF's, 1 to 8. Call ad_fit_end also on failure. */
adatom_status ad_fit_begin(ad_fit *fit, const ad_image_params *params, int width, int height, int shrink,
                           int orientation, uint8_t *out);
void ad_fit_row(ad_fit *fit, const uint8_t *rgb);
void ad_fit_end(ad_fit *fit);

typedef struct ad_decoding {
    const uint8_t *bytes;
    size_t size;
    const ad_image_params *params;
    ad_image_error *error;
    uint8_t *out;
    uint64_t taken;    /* from the budget */
    int width, height; /* of the rows that come */
    uint8_t *row;      /* [width][3] */
    bool begun;
    ad_fit fit;
} ad_decoding;

/* Keeps the predicate ("is truncated") and returns status. */
adatom_status ad_picture_fail(ad_decoding *d, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
/* The picture is not what it should be. Fails, or, where that is allowed and rows were to come, keeps the predicate and
 * returns OK: the decoder then gives what it has and returns OK; rows that never come are of the background's colour.
 */
adatom_status ad_picture_damaged(ad_decoding *d, const char *format, ...) ADATOM_PRINTF(2, 3);
adatom_status ad_picture_out_of_memory(ad_decoding *d);
/* width x height pixels are stored, each `shrink` of them an axis become one pixel of the rows that come. Refuses
 * absurd sizes, waits until `need` bytes, what the decoder is going to hold at once, are free in the budget, and
 * prepares for the rows. */
adatom_status ad_picture_begin(ad_decoding *d, int64_t width, int64_t height, int shrink, int orientation,
                               uint64_t need);
/* The next row; more than there are to come are ignored. channels: 1 grey, 2 grey with alpha, 3 RGB, 4 RGB with
 * alpha. */
void ad_picture_row(ad_decoding *d, const uint8_t *pixels, int channels);

/* exif.c: orientation in an EXIF block, with or without "Exif\0\0" before it: 1 to 8; 1 where it is absent or
 * damaged. */
int ad_exif_orientation(const uint8_t *bytes, size_t size);

/* decode_*.c. NULL stands for those this build lacks. */
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
