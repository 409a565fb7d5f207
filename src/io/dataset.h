/* How pictures become a data set, step by step:
 *   source   lists the files of a folder or archive;
 *   select   decides which of them are pictures, and of which class;
 *   pack     makes one block of memory: header, names, room for the pixels;
 *   load     decodes the pictures into that room;
 *   wrap     builds the tables behind the public handle.
 * The cache file is that block, byte for byte. */
#ifndef AD_IO_DATASET_H
#define AD_IO_DATASET_H

#include "base/base.h"
#include <adatom/dataset.h>

#define AD_CSV_MAX_BYTES ((size_t)256 << 20)
#define AD_PICTURE_MAX_BYTES ((size_t)1 << 30) /* largest encoded picture that is read */

/* A CSV list in an archive is kept in memory up to this size, whatever else is kept. */
#define AD_LIST_KEEP_BYTES ((size_t)16 << 20)
/* While an archive is listed, contents of its files are kept up to this many bytes; the rest takes a second pass. */
#define AD_KEEP_BYTES ((size_t)1 << 30)

/* Collects the problems of a data set. With go_on (verify) each problem is reported and counted; without it (open) the
 * first problem becomes the context's message and ADATOM_BAD_DATA. */
typedef struct ad_problems {
    adatom_context *ctx;
    bool go_on, refuse_splits; /* refuse_splits: as in adatom_dataset_params */
    void (*report)(void *user, const char *sentence);
    void *user;
    size_t count;
    /* How many truncated or damaged pictures were taken nevertheless, as the parameters allow, and a sentence on the
     * first. */
    size_t damaged_taken;
    char damaged_example[512];
    size_t picture; /* set by ad_load: which picture of the selection the sentence being reported is about */
} ad_problems;
/* Logs one warning that counts the damaged pictures that were taken; nothing if there are none. */
void ad_warn_of_damaged(const ad_problems *problems);
adatom_status ad_problem(ad_problems *problems, const char *format, ...) ADATOM_PRINTF(2, 3);

/* csv.c: a `filename,label` list (RFC 4180; columns of other names are ignored). */
typedef struct ad_csv_row {
    const char *file, *label; /* both point into ad_csv.text */
    size_t line;
} ad_csv_row;
typedef struct ad_csv {
    char *name, *text; /* name: of the list, for messages; text: the list, cut into fields by NULs */
    ad_csv_row *rows;
    size_t count;
} ad_csv;
adatom_status ad_csv_parse(adatom_context *ctx, const char *name, const char *text, size_t size, ad_csv *out);
/* The same of a list whose labels may be empty. */
adatom_status ad_csv_parse_bare(adatom_context *ctx, const char *name, const char *text, size_t size, ad_csv *out);
void ad_csv_free(ad_csv *csv);

/* names.c */
bool ad_is_utf8(const char *text, size_t size);
/* Writes a name as UTF-8 with a NUL behind it into out, and returns its length without the NUL; out NULL: only returns
 * the length. A name that is UTF-8 stays as it is. In any other name a byte that is not UTF-8 becomes %XX and % becomes
 * %25, so that the original bytes can be recovered. */
size_t ad_show_name(const char *text, size_t size, char *out);
/* *same tells whether two names are the same characters, in whatever Unicode form each is written. */
adatom_status ad_same_characters(adatom_context *ctx, const char *a, const char *b, bool *same);
/* Two names, by their indices in a list, that people read as one, and how they differ, e.g. "differ only in case". */
typedef struct ad_alike {
    int first, second;
    const char *how;
} ad_alike;
/* Finds the names that differ only in case, spaces or Unicode form. *out: *found pairs, sorted by `second`;
 * ad_free(*out). */
adatom_status ad_names_alike(adatom_context *ctx, const char *const *names, int count, ad_alike **out, size_t *found);

/* The pictures and CSV lists in a folder (at any depth) or archive, each with its path relative to it. source.c lists
 * folders and single files, archive.c archives; tree.c resolves links inside an archive; passed.c notes what is passed
 * over. */
typedef enum ad_entry_kind {
    AD_ENTRY_OTHER,
    AD_ENTRY_PICTURE,
    AD_ENTRY_UNREAD, /* a picture of a kind that isn't read */
    AD_ENTRY_CSV
} ad_entry_kind;
/* What the system says of a file. As long as all of it is unchanged, and the file was not written within the last
 * moments (seen.c), its content is taken to be unchanged. */
typedef struct ad_identity {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
} ad_identity;
typedef struct ad_entry {
    char *path; /* components separated by single slashes, none of them "." */
    ad_entry_kind kind;
    ad_identity identity; /* set for the files of a folder, 0 for members of an archive */
    uint64_t hash;        /* of the file's bytes; 0: not known yet */
    size_t member; /* position in the archive, from 0; several entries stand for one member where links lead to it */
    char *bytes;   /* content that was kept while the archive was listed, or NULL */
    size_t bytes_size;
} ad_entry;

/* Why a file or folder is passed over, in the order in which the reasons are told. */
typedef enum ad_passed_kind {
    AD_PASSED_UNREAD,   /* a picture of a kind that isn't read */
    AD_PASSED_NAMELESS, /* a picture without a picture's ending in its name */
    AD_PASSED_HIDDEN,   /* a picture whose name begins with a dot */
    AD_PASSED_DANGLING, /* a link to nothing */
    AD_PASSED_LOCKED,   /* a folder that can't be looked into */
    AD_PASSED_SPECIAL,  /* a pipe, socket or device with the name of a picture */
    AD_PASSED_NAME,     /* a name in an archive that can't be used: "..", too long, too deep, in no known encoding */
    AD_PASSED_BESIDE,   /* a picture outside the folders of the classes */
    AD_PASSED_EMPTY,    /* a folder below which there is neither a picture nor a list */
    AD_PASSED_LOOP,     /* a link back to a folder above it */
    AD_PASSED_SERVICE,  /* a hidden folder, or one of the system folders of ad_is_service_name() */
    AD_PASSED_KINDS
} ad_passed_kind;
typedef struct ad_passed {
    size_t count[AD_PASSED_KINDS];
    char *example[AD_PASSED_KINDS]; /* the path of each kind that sorts first; NULL: the kind did not occur */
    struct ad_passed_item {
        ad_passed_kind kind;
        char *path;
    } * items; /* every single one, of those kinds that verify names one by one */
    size_t item_count, capacity;
} ad_passed;

typedef struct ad_source {
    adatom_context *ctx;
    char *root; /* the folder or archive; "": the entries' paths are complete by themselves */
    bool is_archive;
    bool is_listed;       /* the entries have been filled in */
    ad_identity identity; /* of an archive */
    int64_t opened_ns;    /* real-time clock, taken before the first file was looked at */
    uint64_t seen;        /* checksum of the record that seen.c found for this source; 0: it found none */
    ad_passed passed;
    ad_entry *entries;
    size_t count, capacity;
    size_t links;       /* how many links into folders were followed so far */
    void *reader;       /* struct archive * that reads members a second time, or NULL */
    void *locale;       /* locale_t in which libarchive reads names, or NULL */
    size_t next_member; /* number of the member that `reader` gives next */
} ad_source;
/* Opens a folder or archive. A folder is listed at once (sorted by path); of an archive only the file itself is looked
 * at, and ad_source_scan() lists it. Call ad_source_close() also on failure. */
adatom_status ad_source_open(adatom_context *ctx, const char *path, ad_source *out);
/* A source of single pictures, anywhere in the file system; they need not exist yet. Close as above. */
adatom_status ad_source_files(adatom_context *ctx, const char *const *paths, size_t count, ad_source *out);
/* Whether a file that the user named directly is read as a picture: its content is one, or its name says so and its
 * content is no archive. */
bool ad_source_is_picture(const char *path);
/* Lists an archive and keeps at most keep_bytes of its contents, so that those need not be read again. Does nothing for
 * a source that is listed already. */
adatom_status ad_source_scan(ad_source *source, size_t keep_bytes);
/* Reads the content of entry i; ad_free(*bytes). In an archive, contents that were not kept are best asked for by
 * rising i: going back restarts the archive from its beginning. */
adatom_status ad_source_read(ad_source *source, size_t i, char **bytes, size_t *size);
void ad_source_close(ad_source *source);
/* The functions below are for the files that make a source. ad_source_add() takes ownership of path, also on failure. A
 * file of kind OTHER or UNREAD is not added, and *added is NULL. */
adatom_status ad_source_add(ad_source *source, char *path, ad_entry_kind kind, ad_entry **added);
/* Counts a link into a folder, and fails after a million: a few thousand links can stand for more folders than anyone
 * can visit. */
adatom_status ad_source_count_link(ad_source *source);
/* Whether a name is hidden (begins with a dot) or one that operating systems and storage devices create (thumbnails,
 * wastebaskets). */
bool ad_is_service_name(const char *component);
/* Whether a file whose name is no picture's may still be a picture, so that its first bytes are worth reading. */
bool ad_name_may_be_picture(const char *name);
/* Whether the first bytes of a file are a picture's. */
bool ad_looks_like_picture(const char *bytes, size_t size);
adatom_status ad_archive_scan(ad_source *source, size_t keep_bytes);
adatom_status ad_archive_read(ad_source *source, size_t i, char **bytes, size_t *size);

/* zip.c: the names in a zip's central directory, in the order of the members in the file. The list is empty where the
 * directory cannot be read; libarchive then reports what is wrong with the file. */
typedef struct ad_zip_list {
    char *text;
    const char **names;
    size_t count;
} ad_zip_list;
adatom_status ad_zip_names(adatom_context *ctx, const char *path, ad_zip_list *out);
void ad_zip_free(ad_zip_list *list);

/* tree.c: makes, of an archive's members, the tree of files that unpacking would make. */
typedef struct ad_member {
    char *path;   /* as in ad_entry; "": the archive's root */
    char *target; /* where a link points to; NULL: no link */
    /* Whether the link is a hard link. The target of a hard link starts at the archive's root, that of a symbolic link
     * at the folder that the link is in. */
    bool is_hard;
    bool is_folder, is_nameless_picture;
    size_t number;
    char *bytes;
    size_t bytes_size;
} ad_member;
/* Makes the source's entries, sorted by member, then path. Kept contents move from the members to the entries. */
adatom_status ad_tree_list(ad_source *source, ad_member *members, size_t count);

/* passed.c. Notes that the file or folder at `path` is passed over for this reason; path is copied. */
adatom_status ad_pass_over(ad_source *source, ad_passed_kind kind, const char *path);
/* Called after the folder at `path` was visited; source->count and passed.item_count were `entries` and `items` before.
 * If nothing was found in it since, the folder is noted as empty. */
adatom_status ad_pass_over_if_empty(ad_source *source, const char *path, size_t entries, size_t items);
/* Tells what was passed over for the reasons first to last: in verify each file is a problem, otherwise each reason is
 * one line in the log. */
adatom_status ad_tell_passed(const ad_source *source, ad_passed_kind first, ad_passed_kind last, ad_problems *problems);
/* The reason in words, singular or plural by count, e.g. "pictures of a kind that is not read". Static. */
const char *ad_passed_text(ad_passed_kind kind, size_t count);
void ad_passed_free(ad_passed *passed);

/* sniff.c. What a file is by the ending of its name. */
ad_entry_kind ad_kind_of_name(const char *path);
/* What a file is by its first bytes, e.g. "an HTML page" or "a WebP picture"; NULL: not known. Static. */
const char *ad_sniff(const char *bytes, size_t size);

/* select.c: decides which entries are pictures of the data set and which class each has. */
typedef struct ad_picture {
    size_t entry;
    const char *path;  /* owned by the entry */
    const char *label; /* the class: label_length bytes of the entry's path, of the CSV or of ad_selection.shown */
    size_t label_length;
    int32_t class_index;
    bool is_shown; /* the name is not UTF-8, and the label is what ad_show_name() makes of it */
} ad_picture;
typedef struct ad_selection {
    ad_picture *pictures; /* sorted by class name, then path */
    size_t count;
    char **names; /* [classes] in UTF-8 */
    size_t *counts;
    int classes;
    char **shown; /* [shown_count] the labels that are not the names themselves */
    size_t shown_count;
} ad_selection;
/* csv: the list that labels the pictures; NULL: a list inside the source does where split or the layout asks for one,
 * and else the folders are the classes. ad_selection_free(out). */
adatom_status ad_select(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems,
                        ad_selection *out);
/* The same; but pictures that have no classes are taken as well: they are in the order of the source then, and
 * out->classes is 0. */
adatom_status ad_select_bare(ad_source *source, const char *split, const ad_csv *csv, ad_problems *problems,
                             ad_selection *out);
/* Takes every picture, in the order of the source, without classes. */
adatom_status ad_select_all(ad_source *source, ad_selection *out);
/* splits.c: data sets whose parts lie in folders called train, val, test ... Returns the level (0: the topmost folder
 * of the paths) at which folders named `split` are parts and not classes; SIZE_MAX: there is no such folder. */
size_t ad_split_level(const ad_source *source, const char *split);
/* Whether the path's folder at that level is called `split`. */
bool ad_in_split(const char *path, size_t level, const char *split);
/* Tells of a data set that has several parts inside although no split was chosen: where the same class occurs in two
 * parts this is a problem in verify; otherwise it is a warning in the log. */
adatom_status ad_tell_splits(const ad_source *source, const ad_selection *selection, ad_problems *problems);
/* Counts the rows of the list that name no picture of the source. */
adatom_status ad_count_missing(const ad_source *source, const ad_csv *csv, size_t *missing);
void ad_selection_free(ad_selection *selection);

/* budget.c: how many bytes all threads together may hold while they decode. */
typedef struct ad_budget ad_budget;
adatom_status ad_budget_make(adatom_context *ctx, uint64_t bytes, ad_budget **out);
/* Waits until so many bytes are free, or until nobody holds any: so the largest picture proceeds, too, alone. budget
 * NULL: does nothing, as in the functions below. */
void ad_budget_take(ad_budget *budget, uint64_t bytes);
void ad_budget_give(ad_budget *budget, uint64_t bytes);
/* Says how many bytes the encoded pictures hold, which count against the budget. Called between decodings only. */
void ad_budget_set_aside(ad_budget *budget, uint64_t bytes);
void ad_budget_destroy(ad_budget *budget);

/* decode.c, image.c. Several threads may call these functions at the same time. */
typedef struct ad_image_error {
    adatom_status status;
    /* What is wrong, to follow the picture's name, e.g. "is truncated". With status OK: what is wrong with a picture
     * that was taken nevertheless, or "". */
    char text[200];
} ad_image_error;
typedef struct ad_image_params {
    int size, resize;
    adatom_interpolation interpolation;
    uint64_t max_pixels;
    uint8_t background[3]; /* RGB, shown where the picture is transparent */
    bool allow_truncated;  /* take what can be decoded of truncated and damaged pictures */
    ad_budget *budget;     /* NULL: no limit */
} ad_image_params;
/* Decodes a picture of any kind in adatom_picture_kinds, which its content decides (of several pictures in a file, the
 * first): turns it as EXIF says, lays it over the background where it is transparent, scales the shorter side to resize
 * and crops size x size from the centre. out: size*size*3 bytes. */
adatom_status ad_image_decode(const char *bytes, size_t bytes_size, const ad_image_params *params, uint8_t *out,
                              ad_image_error *error);
/* The same of a picture that is decoded: rows from the top, [height][width][channels] bytes; 1 grey, 2 grey with alpha,
 * 3 RGB, 4 RGB with alpha. */
typedef struct ad_image_pixels {
    const uint8_t *rows;
    int width, height, channels;
} ad_image_pixels;
adatom_status ad_image_take(const ad_image_pixels *pixels, const ad_image_params *params, uint8_t *out,
                            ad_image_error *error);
/* Whether the scaled bytes are those of Pillow's filters. */
static inline bool ad_is_whole(adatom_interpolation interpolation) {
    return interpolation == ADATOM_INTERPOLATION_BILINEAR || interpolation == ADATOM_INTERPOLATION_BICUBIC;
}
/* Reads "white", "black", "grey" or RRGGBB in hexadecimal digits; NULL: white. Returns false for any other text. */
bool ad_parse_background(const char *text, uint8_t rgb[3]);

/* load.c: reads the selected pictures and decodes them in parallel into pixels (count*size*size*3 bytes; NULL: only to
 * see whether each decodes). hashes: [count] hashes of the encoded bytes; NULL: not wanted. */
adatom_status ad_load(ad_source *source, const ad_selection *selection, const adatom_dataset_params *params,
                      ad_problems *problems, uint8_t *pixels, uint64_t *hashes);

/* pictures.c: pictures without classes from several places. */
typedef struct ad_place {
    ad_source source;
    ad_selection selection;
} ad_place;
typedef struct ad_places {
    ad_place *items;
    size_t count;
    char **paths; /* [pictures] the full path of each */
    size_t pictures;
} ad_places;
/* Pictures that cannot be read. They are told one by one if the caller wants that; else the first one fails. */
typedef struct ad_unreadable {
    const adatom_dataset_params *params;
    size_t count;
} ad_unreadable;
/* Opens the places that the paths name: a run of single pictures, a folder, an archive. Close also on failure. */
adatom_status ad_places_open(adatom_context *ctx, const char *const *paths, size_t count, ad_unreadable *unreadable,
                             ad_places *out);
/* Names the pictures by their places' roots and their paths in them. */
adatom_status ad_places_name(adatom_context *ctx, ad_places *places);
/* Decodes pictures of a place. Those that cannot be decoded are told by paths[] and marked in bad[]; damaged ones that
 * are taken are counted in problems, whose other members are set here. */
adatom_status ad_place_load(ad_source *source, const ad_selection *selection, char *const *paths,
                            ad_unreadable *unreadable, ad_problems *problems, uint8_t *pixels, uint8_t *bad);
void ad_places_close(ad_places *places);

/* dataset.c */
/* Version of the block's layout and of what decoding makes of a picture: raised when either changes. */
#define AD_DATASET_MAGIC "adatomDS"
#define AD_DATASET_VERSION 2u
/* What a block was made from. The two numbers are in its file's name. */
typedef struct ad_cache_key {
    uint64_t name;    /* hash of what is known without reading pictures: their paths, the classes, the parameters */
    uint64_t content; /* hash of that and of the pictures' bytes */
} ad_cache_key;
typedef struct ad_block_header {
    char magic[8];
    uint32_t version, size;
    ad_cache_key key;
    uint64_t images, classes, text_bytes;
    uint64_t pixels_hash; /* of the pixels */
    uint64_t checksum;    /* of everything before the pixels but this member */
    /* Behind the header follow: counts, uint64_t[classes]; the class names, then the paths, each with a NUL; the
     * pixels, from the next multiple of 64 bytes on. */
} ad_block_header;
typedef struct ad_block {
    char *bytes;
    size_t size, pixels_at;
    bool is_hashed; /* the header's pixels_hash has been computed */
} ad_block;
/* Makes a block for `images` pictures of size x size, with everything filled in but the pixels, the key and the
 * checksum. path gives the path of each picture. */
adatom_status ad_block_make(adatom_context *ctx, int size, int classes, const char *const *names, const size_t *counts,
                            size_t images, const char *(*path)(const void *user, size_t image), const void *user,
                            ad_block *out);
/* Hashes the pixels, unless that has been done, and returns the hash. */
uint64_t ad_block_hash(ad_block *block);
/* Takes ownership of the block, also on failure, and makes the public handle. passed (may be NULL) moves into it and is
 * emptied. */
adatom_status ad_dataset_wrap(adatom_context *ctx, const char *name, ad_block *block, ad_passed *passed,
                              adatom_dataset **out);

/* listing.c: pictures that are listed first and decoded when somebody asks for them. */
typedef struct ad_listing ad_listing;
/* Decodes pictures first .. first + count - 1 into pixels (count*size*size*3 bytes) and marks in bad[count] those that
 * cannot be read and that the caller wants to leave out; any other failure is one. */
adatom_status ad_listing_read(ad_listing *listing, size_t first, size_t count, uint8_t *pixels, uint8_t *bad);
/* Warns of damaged pictures that were taken since the first one was last read, and returns how many they are. */
size_t ad_listing_damaged(const ad_listing *listing);
void ad_listing_destroy(ad_listing *listing);
adatom_context *ad_dataset_context(const adatom_dataset *dataset);
/* The listing of a data set that is one, else NULL. */
ad_listing *ad_dataset_listing(const adatom_dataset *dataset);
/* Makes the data set of a listing, which is taken, also on failure; block: names without pixels, as in
 * ad_dataset_wrap(). */
adatom_status ad_dataset_of_listing(adatom_context *ctx, const char *name, ad_block *block, ad_passed *passed,
                                    ad_listing *listing, int image_size, adatom_dataset **out);

/* What a data set of features is made of, the pictures in the order of their classes. */
typedef struct ad_feature_set {
    const char *name;
    int classes;
    const char *const *names;
    const size_t *counts; /* [classes] */
    size_t images;
    const char *(*path)(const void *user, size_t image);
    const void *user;
    float *values; /* [images][width]; taken, also on failure */
    size_t width;
    uint64_t pixels_hash; /* of the pictures, as ad_block_hash(); 0: they are not known, and the numbers are hashed */
    const char *hash;     /* of the pictures' data set, where that is known; else NULL */
    const char *model_hash, *origin; /* as in adatom_dataset_info; NULL: not known */
} ad_feature_set;
adatom_status ad_dataset_of_features(adatom_context *ctx, ad_feature_set *set, adatom_dataset **out);

/* Keeps a copy of how features were made. */
adatom_status ad_dataset_note_origin(adatom_dataset *dataset, const char *origin);
/* Keeps what adatom_dataset_describe() tells of the decoding: the background and the number of damaged pictures. */
void ad_dataset_note(adatom_dataset *dataset, const char *background, size_t damaged);
/* Checks the parameters and fills in the defaults. */
adatom_status ad_dataset_defaults(adatom_context *ctx, const char *spec, adatom_dataset_params *out);
/* Whether the spec is "builtin:...", and then its split (NULL: all). */
bool ad_dataset_is_builtin(const char *spec);
adatom_status ad_dataset_builtin(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                 const char **split);
/* Opens what a spec stands for: the source to read and the CSV list to apply (none: csv->rows is NULL). Close and free
 * both also on failure. */
adatom_status ad_dataset_source(adatom_context *ctx, const char *spec, const adatom_dataset_params *params,
                                ad_source *source, ad_csv *csv);

/* cache.c: blocks on disk. Keys are made of contents, so that a block is found wherever the pictures lie. These two
 * compute the key's members. */
uint64_t ad_cache_name(const ad_selection *selection, const adatom_dataset_params *params);
uint64_t ad_cache_content(const ad_source *source, const ad_selection *selection, uint64_t name);
/* Whether the folder holds any block of that name, whatever its content. */
bool ad_cache_has(adatom_context *ctx, const char *folder, uint64_t name);
/* Reads a block. Where there is none, or a damaged one, it returns OK with block->bytes NULL. */
adatom_status ad_cache_load(adatom_context *ctx, const char *folder, ad_cache_key key, ad_block *block);
/* Writes the block; a failure is only a warning in the log. Then removes the blocks that were not used for the longest
 * time, until at most `limit` bytes stay besides this one. */
void ad_cache_store(adatom_context *ctx, const char *folder, ad_cache_key key, uint64_t limit, ad_block *block);

/* seen.c: remembers the hash of each file's content, and the list of an archive's members, so that unchanged files need
 * not be read again. ad_seen_load() fills these into the source, ad_seen_store() keeps them in the cache folder. */
adatom_status ad_seen_load(ad_source *source, const char *folder);
void ad_seen_store(ad_source *source, const char *folder);

/* shapes.c: the procedural data set. split: base, val, novel or all; NULL: all. */
enum { AD_SHAPES_CLASSES = 104 };
typedef struct ad_shapes { /* the pictures of a split, class by class */
    int numbers[AD_SHAPES_CLASSES], per_class;
    uint64_t seed;
    size_t images;
} ad_shapes;
/* Lists them: a block without room for pixels. ad_shapes_draw() draws pictures first .. first + count - 1 of them. */
adatom_status ad_shapes_list(adatom_context *ctx, const char *split, const adatom_dataset_params *params,
                             ad_block *block, ad_shapes *out);
void ad_shapes_draw(const ad_shapes *shapes, size_t first, size_t count, int size, int threads, uint8_t *pixels);
adatom_status ad_shapes_open(adatom_context *ctx, const char *split, const adatom_dataset_params *params,
                             ad_block *block);
uint64_t ad_shapes_key(const char *split, const adatom_dataset_params *params);
/* Draws picture number `picture` of class 0..103 into out, size*size*3 bytes. */
void ad_shapes_render(uint64_t seed, int class_index, int picture, int size, uint8_t *out);
#endif
