/* How pictures become a data set. The way of the data:
 *   source (files of a folder or archive) -> select (which are pictures of which class) -> pack (one block: header, names,
 *   room for the pixels) -> load (decode into it) -> wrap (the tables behind the public handle).
 * The block is also the cache file, byte for byte. */
#ifndef AD_IO_DATASET_H
#define AD_IO_DATASET_H

#include "base/base.h"
#include <adatom/dataset.h>

#define AD_CSV_MAX_BYTES ((size_t)256 << 20)
#define AD_PICTURE_MAX_BYTES ((size_t)1 << 30) /* encoded */

#define AD_KEEP_BYTES ((size_t)1 << 30) /* contents of an archive kept while listing it; the rest takes a second pass */

/* Collects what is wrong. With go_on (verify) each problem is reported and counted; without (open) the first one becomes the
 * context's message and ADATOM_BAD_DATA. */
typedef struct ad_problems {
    adatom_context *ctx;
    bool go_on;
    void (*report)(void *user, const char *sentence);
    void *user;
    size_t count;
    size_t damaged_taken; /* pictures that are truncated or damaged and were taken nevertheless, as the parameters allow */
    char damaged_example[512];
} ad_problems;
/* Logs a warning of the pictures that were taken although they are damaged. */
void ad_warn_of_damaged(const ad_problems *problems);
adatom_status ad_problem(ad_problems *problems, const char *format, ...) ADATOM_PRINTF(2, 3);

/* csv.c: a `filename,label` list (RFC 4180; other columns are ignored). */
typedef struct ad_csv_row {
    const char *file, *label; /* in ad_csv.text */
    size_t line;
} ad_csv_row;
typedef struct ad_csv {
    char *name, *text; /* name is for messages */
    ad_csv_row *rows;
    size_t count;
} ad_csv;
adatom_status ad_csv_parse(adatom_context *ctx, const char *name, const char *text, size_t size, ad_csv *out);
void ad_csv_free(ad_csv *csv);

/* source.c: the pictures and CSV lists in a folder (at any depth) or archive, by path relative to it. */
typedef enum ad_entry_kind {
    AD_ENTRY_OTHER,
    AD_ENTRY_PICTURE,
    AD_ENTRY_UNREAD, /* a picture of a kind that isn't read */
    AD_ENTRY_CSV
} ad_entry_kind;
typedef struct ad_entry {
    char *path; /* components separated by single slashes, none of them "." */
    ad_entry_kind kind;
    uint64_t size;    /* of folders' files */
    int64_t mtime_ns; /* of folders' files */
    size_t member;    /* number in the archive */
    char *bytes;      /* content kept while scanning an archive, or NULL */
    size_t bytes_size;
} ad_entry;
typedef struct ad_source {
    adatom_context *ctx;
    char *root;  /* "": the paths stand by themselves */
    char *empty; /* a folder below which there is neither a picture nor a list, or NULL */
    bool is_archive;
    uint64_t stamp; /* hash of names, sizes and times: tells whether anything changed */
    ad_entry *entries;
    size_t count, capacity;
    void *reader;       /* struct archive * of a second pass */
    size_t next_member; /* the member reader gives next */
} ad_source;
/* Folders are listed (sorted by path); archives are only looked at from outside. Close it also on failure. */
adatom_status ad_source_open(adatom_context *ctx, const char *path, ad_source *out);
/* Single pictures, wherever they lie; they need not exist yet. */
adatom_status ad_source_files(adatom_context *ctx, const char *const *paths, size_t count, ad_source *out);
/* A file whose name says that it is a picture. */
bool ad_source_is_picture(const char *path);
/* Lists an archive, keeping at most keep_bytes of contents so that they needn't be read again. Folders: nothing to do. */
adatom_status ad_source_scan(ad_source *source, size_t keep_bytes);
/* Content of entry i; ad_free(*bytes). Archives: contents that weren't kept must be asked for by rising i. */
adatom_status ad_source_read(ad_source *source, size_t i, char **bytes, size_t *size);
void ad_source_close(ad_source *source);
/* sniff.c: what a file is. By its name: */
ad_entry_kind ad_kind_of_name(const char *path);
/* "an HTML page", "a WebP picture", ... where the first bytes tell what a file is instead of what was expected; else NULL. */
const char *ad_sniff(const char *bytes, size_t size);

/* select.c: which entries are pictures of which class. */
typedef struct ad_picture {
    size_t entry;
    const char *path;  /* the entry's */
    const char *label; /* label_length bytes in the entry's path or in the CSV */
    size_t label_length;
    int32_t class_index;
} ad_picture;
typedef struct ad_selection {
    ad_picture *pictures; /* by class name, then path */
    size_t count;
    char **names; /* classes */
    size_t *counts;
    int classes;
} ad_selection;
/* csv: applied to the source; NULL: found in it where split or the layout ask for one, else folders are the classes. */
adatom_status ad_select(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems, ad_selection *out);
/* Every picture of the source, in its order, without classes. */
adatom_status ad_select_all(const ad_source *source, ad_selection *out);
void ad_selection_free(ad_selection *selection);

/* budget.c: bytes that threads may hold at once while they decode. */
typedef struct ad_budget ad_budget;
adatom_status ad_budget_make(adatom_context *ctx, uint64_t bytes, ad_budget **out);
/* Waits until so many are free, or nothing is taken at all: the largest picture proceeds, too, alone. */
void ad_budget_take(ad_budget *budget, uint64_t bytes);
void ad_budget_give(ad_budget *budget, uint64_t bytes);
/* Counts bytes that are held whatever happens: the encoded pictures. For between decodings. */
void ad_budget_set_aside(ad_budget *budget, uint64_t bytes);
void ad_budget_destroy(ad_budget *budget);

/* decode.c, image.c. All are safe to call from several threads. */
typedef struct ad_image_error {
    adatom_status status;
    char text[200]; /* predicate: "is truncated"; with status OK what is wrong with a picture that was taken nevertheless, or "" */
} ad_image_error;
typedef struct ad_image_params {
    int size, resize;
    uint64_t max_pixels;
    uint8_t background[3]; /* shines through where the picture is transparent */
    bool allow_truncated;  /* takes what there is of truncated and damaged pictures */
    ad_budget *budget;     /* NULL: none */
} ad_image_params;
/* Decodes a picture of any kind in adatom_picture_kinds (what its content says; of several the first), turns it as EXIF says, lays
 * transparency over the background, scales the shorter side to resize and crops size x size from the centre. out: size*size*3. */
adatom_status ad_image_decode(const char *bytes, size_t bytes_size, const ad_image_params *params, uint8_t *out, ad_image_error *error);
/* Antialiased bilinear: a triangle filter as wide as the reduction factor, half-pixel centres; then centre crop. */
adatom_status ad_image_fit(const uint8_t *rgb, int width, int height, int size, int resize, uint8_t *out);
/* "white", "black", "grey" or RRGGBB in hexadecimal digits; NULL: white. False where it is none of these. */
bool ad_parse_background(const char *text, uint8_t rgb[3]);

/* load.c: reads and decodes the selected pictures, in parallel, into pixels (count*size*size*3). With hashes (count) the
 * encoded bytes are hashed, too. pixels may be NULL: decode only to see whether it works. */
adatom_status ad_load(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params, ad_problems *problems,
                      uint8_t *pixels, uint64_t *hashes);

/* dataset.c */
#define AD_DATASET_MAGIC "adatomDS"
#define AD_DATASET_VERSION 2u
typedef struct ad_block_header {
    char magic[8];
    uint32_t version, size;
    uint64_t key; /* what it was made from: cache.c */
    uint64_t images, classes, text_bytes;
    uint64_t checksum; /* of everything else */
} ad_block_header;     /* then counts: uint64_t[classes]; class names and paths, each ending in NUL; pixels from a multiple of 64 */
typedef struct ad_block {
    char *bytes;
    size_t size, pixels_at;
} ad_block;
/* Room for images pictures of size x size with everything but the pixels, key and checksum filled in. */
adatom_status ad_block_make(adatom_context *ctx, int size, int classes, const char *const *names, const size_t *counts, size_t images,
                            const char *(*path)(const void *user, size_t image), const void *user, ad_block *out);
/* Takes the block (also on failure) and makes the handle. */
adatom_status ad_dataset_wrap(adatom_context *ctx, const char *name, ad_block *block, adatom_dataset **out);

/* Keeps what describe tells of how pictures were decoded. */
void ad_dataset_note(adatom_dataset *dataset, const char *background, size_t damaged);
/* Params with the defaults filled in. */
adatom_status ad_dataset_defaults(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, adatom_dataset_params *out);
/* What a spec stands for: the source to read and the CSV to apply (absent: rows == NULL). Close and free both also on failure. */
adatom_status ad_dataset_source(adatom_context *ctx, const char *spec, const adatom_dataset_params *params, ad_source *source, ad_csv *csv);

/* cache.c */
uint64_t ad_cache_key(const ad_source *source, const ad_csv *csv, const adatom_dataset_params *params);
/* OK with block->bytes NULL where there is none or a damaged one. */
adatom_status ad_cache_load(adatom_context *ctx, const char *folder, uint64_t key, ad_block *block);
/* A cache that can't be written is only worth a warning. */
void ad_cache_store(adatom_context *ctx, const char *folder, uint64_t key, ad_block *block);

/* shapes.c: the procedural data set. split is base, val, novel or all. */
adatom_status ad_shapes_open(adatom_context *ctx, const char *split, const adatom_dataset_params *params, ad_block *block);
uint64_t ad_shapes_key(const char *split, const adatom_dataset_params *params);
/* Picture number `picture` of class 0..103, size*size*3 bytes. */
void ad_shapes_render(uint64_t seed, int class_index, int picture, int size, uint8_t *out);
#endif
