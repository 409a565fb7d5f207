/* How pictures become a data set. The way of the data:
 *   source (files of a folder or archive) -> select (which are pictures of which class) -> pack (one block: header,
 * names, room for the pixels) -> load (decode into it) -> wrap (the tables behind the public handle). The block is also
 * the cache file, byte for byte. */
#ifndef AD_IO_DATASET_H
#define AD_IO_DATASET_H

#include "base/base.h"
#include <adatom/dataset.h>

#define AD_CSV_MAX_BYTES ((size_t)256 << 20)
#define AD_PICTURE_MAX_BYTES ((size_t)1 << 30) /* encoded */

#define AD_LIST_KEEP_BYTES ((size_t)16 << 20) /* of a CSV list in an archive, however much else is kept */
#define AD_KEEP_BYTES                                                                                                  \
    ((size_t)1 << 30) /* contents of an archive kept while listing it; the rest takes a second pass                    \
                       */

/* Collects what is wrong. With go_on (verify) each problem is reported and counted; without (open) the first one
 * becomes the context's message and ADATOM_BAD_DATA. */
typedef struct ad_problems {
    adatom_context *ctx;
    bool go_on;
    void (*report)(void *user, const char *sentence);
    void *user;
    size_t count;
    size_t
        damaged_taken; /* pictures that are truncated or damaged and were taken nevertheless, as the parameters allow */
    char damaged_example[512];
    size_t picture; /* ad_load: of the selection, which the sentence being reported is about */
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

/* names.c. */
bool ad_is_utf8(const char *text, size_t size);
/* Writes the name in UTF-8, with a NUL, and returns its length without; out NULL: only that. Bytes that aren't UTF-8
 * become %XX, and then % becomes %25, so that the name can be had back. Names in UTF-8 stay as they are. */
size_t ad_show_name(const char *text, size_t size, char *out);
/* Whether two names are the same characters, in whatever Unicode form. */
adatom_status ad_same_characters(adatom_context *ctx, const char *a, const char *b, bool *same);
/* Two of some names that people read as the same one, and how they differ: "differ only in case". */
typedef struct ad_alike {
    int first, second;
    const char *how;
} ad_alike;
/* Names that differ only in case, spaces or Unicode form, as pairs by rising second; ad_free(*out). */
adatom_status ad_names_alike(adatom_context *ctx, const char *const *names, int count, ad_alike **out, size_t *found);

/* The pictures and CSV lists in a folder (at any depth) or archive, by path relative to it. source.c: folders and
 * files; archive.c: archives; tree.c: what links inside an archive stand for; passed.c: what is passed over. */
typedef enum ad_entry_kind {
    AD_ENTRY_OTHER,
    AD_ENTRY_PICTURE,
    AD_ENTRY_UNREAD, /* a picture of a kind that isn't read */
    AD_ENTRY_CSV
} ad_entry_kind;
/* What the system says of a file. As long as all of it is the same, and the file wasn't written just now, so is the
 * content. */
typedef struct ad_identity {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
} ad_identity;
typedef struct ad_entry {
    char *path; /* components separated by single slashes, none of them "." */
    ad_entry_kind kind;
    ad_identity identity; /* of folders' files */
    uint64_t hash;        /* of the content; 0: not known yet */
    size_t member;        /* number in the archive; several entries may stand for one member */
    char *bytes;          /* content kept while scanning an archive, or NULL */
    size_t bytes_size;
} ad_entry;

/* Why files and folders are passed over, in the order in which it is told. */
typedef enum ad_passed_kind {
    AD_PASSED_UNREAD,   /* a picture of a kind that isn't read */
    AD_PASSED_NAMELESS, /* a picture whose name doesn't say so */
    AD_PASSED_HIDDEN,   /* a picture whose name begins with a dot */
    AD_PASSED_DANGLING, /* a link to nothing */
    AD_PASSED_LOCKED,   /* a folder that can't be looked into */
    AD_PASSED_SPECIAL,  /* a pipe, socket or device with the name of a picture */
    AD_PASSED_NAME,     /* a name in an archive that can't be used: "..", too long, too deep, in no known encoding */
    AD_PASSED_BESIDE,   /* a picture beside the folders of the classes */
    AD_PASSED_EMPTY,    /* a folder below which there is neither a picture nor a list */
    AD_PASSED_LOOP,     /* a link back to a folder above it */
    AD_PASSED_SERVICE,  /* hidden folders, and what other systems leave behind */
    AD_PASSED_KINDS
} ad_passed_kind;
typedef struct ad_passed {
    size_t count[AD_PASSED_KINDS];
    char *example[AD_PASSED_KINDS]; /* the first by name; NULL if none */
    struct ad_passed_item {
        ad_passed_kind kind;
        char *path;
    } * items; /* all of the kinds that verify names one by one */
    size_t item_count, capacity;
} ad_passed;

typedef struct ad_source {
    adatom_context *ctx;
    char *root; /* "": the paths stand by themselves */
    bool is_archive;
    bool is_listed;       /* the entries are there */
    ad_identity identity; /* of an archive */
    int64_t opened_ns;    /* by the clock of files, before the first was looked at */
    uint64_t seen;        /* checksum of what seen.c knew of it; 0: nothing */
    ad_passed passed;
    ad_entry *entries;
    size_t count, capacity;
    size_t links;       /* followed into folders so far */
    void *reader;       /* struct archive * of a second pass */
    void *locale;       /* in which libarchive reads names */
    size_t next_member; /* the member reader gives next */
} ad_source;
/* Folders are listed (sorted by path); archives are only looked at from outside. Close it also on failure. */
adatom_status ad_source_open(adatom_context *ctx, const char *path, ad_source *out);
/* Single pictures, wherever they lie; they need not exist yet. */
adatom_status ad_source_files(adatom_context *ctx, const char *const *paths, size_t count, ad_source *out);
/* Whether a file that was named by itself is to be read as a picture: because it is one, or because only its name says
 * so. */
bool ad_source_is_picture(const char *path);
/* Lists an archive, keeping at most keep_bytes of contents so that they needn't be read again. Folders: nothing to
 * do. */
adatom_status ad_source_scan(ad_source *source, size_t keep_bytes);
/* Content of entry i; ad_free(*bytes). Archives: contents that weren't kept are best asked for by rising i. */
adatom_status ad_source_read(ad_source *source, size_t i, char **bytes, size_t *size);
void ad_source_close(ad_source *source);
/* The parts of it. Adds an entry (taking path, also on failure); files of other kinds are not added and *added is
 * NULL. */
adatom_status ad_source_add(ad_source *source, char *path, ad_entry_kind kind, ad_entry **added);
/* Counts links into folders: a few thousand of them can stand for more folders than anyone can look into. */
adatom_status ad_source_count_link(ad_source *source);
/* What other systems leave behind (thumbnails, wastebaskets), and what is hidden. */
bool ad_is_service_name(const char *component);
/* Whether it is worth to look into a file of this name, which is no picture's, for a picture. */
bool ad_name_may_be_picture(const char *name);
/* By the first bytes. */
bool ad_looks_like_picture(const char *bytes, size_t size);
adatom_status ad_archive_scan(ad_source *source, size_t keep_bytes);
adatom_status ad_archive_read(ad_source *source, size_t i, char **bytes, size_t *size);

/* zip.c: the names in a zip's directory, in the order in which the members lie in the file. Nothing where it can't be
 * read: libarchive says what is wrong with it. */
typedef struct ad_zip_list {
    char *text;
    const char **names;
    size_t count;
} ad_zip_list;
adatom_status ad_zip_names(adatom_context *ctx, const char *path, ad_zip_list *out);
void ad_zip_free(ad_zip_list *list);

/* tree.c: an archive's members as the tree of files that unpacking would make. */
typedef struct ad_member {
    char *path;   /* as in ad_entry; "" is the archive itself */
    char *target; /* of a link, else NULL */
    bool is_hard; /* link: target is a path from the top, not from the link's folder */
    bool is_folder, is_nameless_picture;
    size_t number;
    char *bytes;
    size_t bytes_size;
} ad_member;
/* Makes the source's entries (sorted by member, then path); contents go over to them. */
adatom_status ad_tree_list(ad_source *source, ad_member *members, size_t count);

/* passed.c */
adatom_status ad_pass_over(ad_source *source, ad_passed_kind kind, const char *path);
/* A folder was looked through: if nothing was found since `entries` entries and `items` items, it is an empty one. */
adatom_status ad_pass_over_if_empty(ad_source *source, const char *path, size_t entries, size_t items);
/* Says kinds first to last: verify each as a problem, else the log each kind once. */
adatom_status ad_tell_passed(const ad_source *source, ad_passed_kind first, ad_passed_kind last, ad_problems *problems);
/* "pictures of a kind that is not read" */
const char *ad_passed_text(ad_passed_kind kind, size_t count);
void ad_passed_free(ad_passed *passed);

/* sniff.c: what a file is. By its name: */
ad_entry_kind ad_kind_of_name(const char *path);
/* "an HTML page", "a WebP picture", ... where the first bytes tell what a file is instead of what was expected; else
 * NULL. */
const char *ad_sniff(const char *bytes, size_t size);

/* select.c: which entries are pictures of which class. */
typedef struct ad_picture {
    size_t entry;
    const char *path;  /* the entry's */
    const char *label; /* label_length bytes in the entry's path or in the CSV */
    size_t label_length;
    int32_t class_index;
    bool is_shown; /* the label is not the name itself, which isn't UTF-8, but what is shown for it */
} ad_picture;
typedef struct ad_selection {
    ad_picture *pictures; /* by class name, then path */
    size_t count;
    char **names; /* classes, in UTF-8 */
    size_t *counts;
    int classes;
    char **shown; /* labels that had to be changed for that */
    size_t shown_count;
} ad_selection;
/* csv: applied to the source; NULL: found in it where split or the layout ask for one, else folders are the classes. */
adatom_status ad_select(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems,
                        ad_selection *out);
/* Every picture of the source, in its order, without classes. */
adatom_status ad_select_all(ad_source *source, ad_selection *out);
/* splits.c: parts of a data set that lie in folders called train, val, test ... The level (0: the topmost folder of the
 * paths) at which folders named `split` are parts and not classes; SIZE_MAX: there is no such folder. */
size_t ad_split_level(const ad_source *source, const char *split);
/* Whether that is the name of the path's folder at that level. */
bool ad_in_split(const char *path, size_t level, const char *split);
/* Classes that are the same class in several parts are a problem in verify and a warning elsewhere. */
adatom_status ad_tell_splits(const ad_source *source, const ad_selection *selection, ad_problems *problems);
/* Rows of the list that name no picture of the source. */
adatom_status ad_count_missing(const ad_source *source, const ad_csv *csv, size_t *missing);
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
    char text[200]; /* predicate: "is truncated"; with status OK what is wrong with a picture that was taken
                       nevertheless, or "" */
} ad_image_error;
typedef struct ad_image_params {
    int size, resize;
    adatom_interpolation interpolation;
    uint64_t max_pixels;
    uint8_t background[3]; /* shines through where the picture is transparent */
    bool allow_truncated;  /* takes what there is of truncated and damaged pictures */
    ad_budget *budget;     /* NULL: none */
} ad_image_params;
/* Decodes a picture of any kind in adatom_picture_kinds (what its content says; of several the first), turns it as EXIF
 * says, lays transparency over the background, scales the shorter side to resize and crops size x size from the centre.
 * out: size*size*3. */
adatom_status ad_image_decode(const char *bytes, size_t bytes_size, const ad_image_params *params, uint8_t *out,
                              ad_image_error *error);
/* Scales and crops alone: see adatom_interpolation. */
adatom_status ad_image_fit(const uint8_t *rgb, int width, int height, const ad_image_params *params, uint8_t *out);
/* Whether pictures are scaled with the bytes of Pillow's filters. */
static inline bool ad_is_whole(adatom_interpolation interpolation) {
    return interpolation == ADATOM_INTERPOLATION_BILINEAR || interpolation == ADATOM_INTERPOLATION_BICUBIC;
}
/* "white", "black", "grey" or RRGGBB in hexadecimal digits; NULL: white. False where it is none of these. */
bool ad_parse_background(const char *text, uint8_t rgb[3]);

/* load.c: reads and decodes the selected pictures, in parallel, into pixels (count*size*size*3). With hashes (count)
 * the encoded bytes are hashed, too. pixels may be NULL: decode only to see whether it works. */
adatom_status ad_load(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params,
                      ad_problems *problems, uint8_t *pixels, uint64_t *hashes);

/* dataset.c */
#define AD_DATASET_MAGIC "adatomDS"
#define AD_DATASET_VERSION 2u /* of the block and of what decoding makes of a picture: raised when either changes */
/* What a block was made from, of which its file is named. */
typedef struct ad_cache_key {
    uint64_t name;    /* what can be told without reading pictures: their names, the classes, the parameters */
    uint64_t content; /* the pictures' bytes, too */
} ad_cache_key;
typedef struct ad_block_header {
    char magic[8];
    uint32_t version, size;
    ad_cache_key key;
    uint64_t images, classes, text_bytes;
    uint64_t pixels_hash; /* of the pixels */
    uint64_t checksum;    /* of everything before the pixels but itself */
} ad_block_header; /* then counts: uint64_t[classes]; class names and paths, each ending in NUL; pixels from a multiple
                      of 64 */
typedef struct ad_block {
    char *bytes;
    size_t size, pixels_at;
    bool is_hashed; /* the header's pixels_hash is right */
} ad_block;
/* Room for images pictures of size x size with everything but the pixels, key and checksum filled in. */
adatom_status ad_block_make(adatom_context *ctx, int size, int classes, const char *const *names, const size_t *counts,
                            size_t images, const char *(*path)(const void *user, size_t image), const void *user,
                            ad_block *out);
/* Hashes the pixels, unless that was done. */
uint64_t ad_block_hash(ad_block *block);
/* Takes the block (also on failure) and makes the handle; passed (may be NULL) is emptied. */
adatom_status ad_dataset_wrap(adatom_context *ctx, const char *name, ad_block *block, ad_passed *passed,
                              adatom_dataset **out);

/* Keeps what describe tells of how pictures were decoded. */
void ad_dataset_note(adatom_dataset *dataset, const char *background, size_t damaged);
/* Fills in the defaults. */
adatom_status ad_dataset_defaults(adatom_context *ctx, const char *spec, adatom_dataset_params *out);
/* What a spec stands for: the source to read and the CSV to apply (absent: rows == NULL). Close and free both also on
 * failure. */
adatom_status ad_dataset_source(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                ad_source *source, ad_csv *csv);

/* cache.c: blocks on disk. Their keys are made of contents, so that a block is right wherever the pictures lie. */
uint64_t ad_cache_name(const ad_selection *selection, const adatom_dataset_params *params);
uint64_t ad_cache_content(const ad_source *source, const ad_selection *selection, uint64_t name);
/* Whether there is any block of that name. */
bool ad_cache_has(adatom_context *ctx, const char *folder, uint64_t name);
/* OK with block->bytes NULL where there is none or a damaged one. */
adatom_status ad_cache_load(adatom_context *ctx, const char *folder, ad_cache_key key, ad_block *block);
/* A cache that can't be written is only worth a warning. The blocks that were longest not used go, so that at most
 * limit bytes stay besides this one. */
void ad_cache_store(adatom_context *ctx, const char *folder, ad_cache_key key, uint64_t limit, ad_block *block);

/* seen.c: which content a file had when it was last read, so that it needn't be read to know it. Of archives: what is
 * in them. */
adatom_status ad_seen_load(ad_source *source, const char *folder);
void ad_seen_store(ad_source *source, const char *folder);

/* shapes.c: the procedural data set. split is base, val, novel or all. */
adatom_status ad_shapes_open(adatom_context *ctx, const char *split, const adatom_dataset_params *params,
                             ad_block *block);
uint64_t ad_shapes_key(const char *split, const adatom_dataset_params *params);
/* Picture number `picture` of class 0..103, size*size*3 bytes. */
void ad_shapes_render(uint64_t seed, int class_index, int picture, int size, uint8_t *out);
#endif
