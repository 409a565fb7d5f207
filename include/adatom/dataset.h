/* Data sets: labelled pictures, decoded once to square uint8 RGB and kept in a cache; or features of pictures in their
 * place (adatom/features.h). A data set does not change once
 * it is open; it is used by one thread at a time, that of its context. */
#ifndef ADATOM_DATASET_H
#define ADATOM_DATASET_H

#include <adatom/adatom.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_dataset adatom_dataset;

typedef struct adatom_dataset_params {
    size_t size;
    int image_size; /* side of the square pictures in pixels, 1..4096; 0: 84 */
    /* Pictures are scaled so that their shorter side has this many pixels, image_size..4096, before the square is
     * cropped from the centre; 0: image_size. Builtin sets are drawn in image_size. */
    int resize;
    /* A part of the data. Builtin sets: base, val, novel or all; NULL: all. Else the list SPLIT.csv in the folder or
     * archive or, if it has none, the pictures in folders named SPLIT, at the topmost level at which such a folder lies
     * beside other splits (so that a class may have that name); NULL: all. */
    const char *split;
    /* File of a `filename,label` list that labels the pictures of the folder or archive. NULL: folders are the classes;
     * but pictures that all lie in one folder take their labels from the one list beside them. */
    const char *csv;
    /* Folder in which decoded pictures are kept, by a hash of their contents; NULL: they are not kept. The size, times
     * and place of a file only decide whether it must be read again to know its content. */
    const char *cache_dir;
    /* Most bytes that are kept there besides this data set; what was not used for the longest time is removed first. 0:
     * 16 GiB. */
    uint64_t cache_bytes;
    int threads;         /* threads that decode; 0: all processors */
    uint64_t max_pixels; /* most pixels of a picture, checked before decoding; 0: 64 Mi */
    /* Most bytes that all decoding threads together hold, though a single picture is decoded whatever it needs. 0: a
     * quarter of the memory that is available, at most 768 MiB. */
    uint64_t decode_bytes;
    /* Colour behind transparent pictures: white, black, grey or RRGGBB in hexadecimal digits; NULL: white. */
    const char *background;
    /* Whether truncated and damaged pictures are taken as far as they can be decoded, with one warning in the log that
     * counts them; such a data set is not kept in the cache. False: such pictures are BAD_DATA. adatom_dataset_verify()
     * reports them in any case. */
    bool allow_truncated;
    uint64_t seed;                     /* seed of builtin sets */
    bool refuse_empty;                 /* a folder without a picture below it is BAD_DATA; false: it is passed over */
    int builtin_per_class;             /* pictures a class of builtin sets, 1..100000; 0: 60 */
    adatom_progress_callback progress; /* phase DECODING; may be NULL */
    void *user;
    /* adatom_dataset_open_pictures() calls this for each picture that cannot be read, with its name and a sentence,
     * both valid during the call, and opens the others. NULL: the first such picture is a failure. */
    void (*unreadable)(void *user, const char *picture, const char *sentence);
    adatom_interpolation interpolation; /* how pictures are scaled; default: fast-bilinear */
    /* Data with folders like train/ and test/ inside that hold the same classes are BAD_DATA if no split is chosen;
     * false: those classes are taken as different ones, with a warning in the log. */
    bool refuse_splits;
} adatom_dataset_params;

typedef struct adatom_dataset_info {
    size_t size;
    const char *name; /* the spec it was opened with, as UTF-8 (see adatom_dataset_open()) */
    char hash[17];    /* hash of pixels, labels and class names, the same for a folder and its archive; 16 hex digits */
    int classes, image_size; /* classes; side of the pictures in pixels */
    size_t images;           /* pictures of all classes */
    char background[7];      /* the colour behind transparent pictures, RRGGBB in hexadecimal digits */
    size_t damaged;          /* damaged or truncated pictures among them (allow_truncated) */
    size_t passed_over;      /* files and folders that were passed over: adatom_dataset_passed_over() */
    int passed_kinds;        /* for how many reasons */
    /* Of features (adatom/features.h): how they were made, a JSON object; NULL: not known, or pictures. */
    const char *origin;
    int features;        /* numbers of each picture's features; 0: the data set holds pictures */
    bool listed;         /* the pictures are only listed (adatom_dataset_list()); hash is "" */
    char model_hash[17]; /* of features: hash of the network that made them; "": not known, or pictures */
} adatom_dataset_info;

/* Opens a data set. params may be NULL; the caller owns *out. spec is one of
 *   - a folder, or an archive (zip, tar, tar.gz, tar.bz2, tar.xz, tar.zst; read in place), with a folder per class at
 *     any depth. A class is named by the path below what all pictures have in common: "n01855672", or, of Omniglot,
 *     "Greek/character01";
 *   - a `filename,label` CSV list like miniImageNet's, with its pictures beside it or under images/;
 *   - "builtin:shapes", with a split also written "builtin:shapes/base": 104 procedural classes, of which 64 are base,
 *     16 val and 24 novel.
 *
 * Pictures: the kinds of adatom_picture_kinds() are read, whatever their names' endings say. Grey becomes RGB,
 * transparent pictures are laid over the background, and EXIF's orientation is applied. The shorter side is scaled to
 * `resize` (see adatom_interpolation; half-pixel centres), the longer one in proportion, rounded down, and the centre
 * is cropped. If resize is image_size, pictures of that size stay as they are. Pictures are ordered by class name, then
 * by path (bytewise).
 *
 * Links are followed, in archives as far as they lead to something inside. Other files, hidden ones and system folders
 * (__MACOSX, @eaDir, $RECYCLE.BIN ...) are passed over. Pictures of a kind that is not read, links to nothing and
 * folders that cannot be entered are counted, and the log has one warning for each such reason. Another warning tells
 * if no split is chosen and folders like train/ and test/ hold the same classes.
 *
 * Names of classes and paths are UTF-8: in a name that is not, each byte that does not fit, and each %, becomes %XX.
 * BAD_DATA: the message names the file, line or class that is wrong. A cache that cannot be written is no failure. */
ADATOM_API adatom_status adatom_dataset_open(adatom_context *context, const char *spec,
                                             const adatom_dataset_params *params, adatom_dataset **out);
/* Pictures in memory. rows, pixels, widths and heights are required. */
typedef struct adatom_picture_table {
    size_t size;
    size_t rows;                  /* pictures, 1..INT32_MAX */
    const uint8_t *const *pixels; /* [rows] of each picture [height][width][channels] bytes, rows from the top */
    const int *widths, *heights;  /* [rows] pixels, >= 1 */
    const int *channels;          /* [rows] 1: grey, 2: grey and alpha, 3: RGB, 4: RGB and alpha; NULL: all RGB */
    const int64_t *labels;        /* [rows] the class of each picture, >= 0, in any order; NULL: there are no classes */
    const char *const *classes;   /* [class_count] names by label, each once; NULL: labels are named by their digits */
    size_t class_count;
    const char *const *names; /* [rows] of the pictures; NULL: "row 0", "row 1" ... */
    const char *name;         /* of the data set, for messages; NULL: "pictures" */
} adatom_picture_table;
/* Makes a data set of pictures in memory, of which nothing is kept: as of files that hold these pixels, and with the
 * same hash, if the classes have the same order. Its classes are the labels that occur, in their order, or without
 * labels one named ""; pictures of a class stay in the order of the rows. Of params (may be NULL) image_size, resize,
 * interpolation, background, threads, max_pixels and progress are used. BAD_DATA: a picture is too large, or a label is
 * negative or has no name (the row is told), or a class has an empty name or that of another; USAGE: something required
 * is missing, channels are none of these, or classes are named without labels. The caller owns *out. */
ADATOM_API adatom_status adatom_dataset_create(adatom_context *context, const adatom_picture_table *table,
                                               const adatom_dataset_params *params, adatom_dataset **out);
/* Opens pictures without classes, to be classified: paths[count] name pictures, folders and archives (count >= 1; else
 * USAGE). Their pictures are in the order given, those of a folder by path, and form one class named "". A file that is
 * named directly is taken as a picture or an archive by its content. Of params (may be NULL) image_size, resize,
 * interpolation, background, allow_truncated, threads, max_pixels, decode_bytes, progress and unreadable are used.
 * BAD_DATA: a picture cannot be read, which the message names; with `unreadable` only if none can be read. The caller
 * owns *out. */
ADATOM_API adatom_status adatom_dataset_open_pictures(adatom_context *context, const char *const *paths, size_t count,
                                                      const adatom_dataset_params *params, adatom_dataset **out);
/* Lists pictures without decoding them, for adatom_features_compute() alone, which decodes them a part after the other:
 * any number of them takes little memory. One path is what adatom_dataset_open() takes, as long as `classes` is true
 * and it has classes; everything else is what adatom_dataset_open_pictures() takes, without classes. Nothing is cached.
 * params->unreadable and user are kept: they are called while features are computed, for pictures without classes.
 * The caller owns *out. */
ADATOM_API adatom_status adatom_dataset_list(adatom_context *context, const char *const *paths, size_t count,
                                             bool classes, const adatom_dataset_params *params, adatom_dataset **out);
/* The kinds of pictures that this build reads: "JPEG, PNG, BMP, GIF, PNM", and "WebP", "TIFF", "HEIC, AVIF" if their
 * libraries were there when it was built. Static storage. */
ADATOM_API const char *adatom_picture_kinds(void);
ADATOM_API void adatom_dataset_destroy(adatom_dataset **dataset);
ADATOM_API adatom_status adatom_dataset_describe(const adatom_dataset *dataset, adatom_dataset_info *out);
/* The name of class c and its pictures, whose numbers are first..first+count-1. The data set owns *name. USAGE: c is
 * outside 0..classes-1. */
ADATOM_API adatom_status adatom_dataset_class(const adatom_dataset *dataset, int c, const char **name, size_t *first,
                                              size_t *count);
/* What was passed over while the data set was opened, by reason: k is 0..passed_kinds-1. *what: the reason, e.g. "links
 * to something that is not there"; *count: how many files and folders; *example: the path that sorts first. The data
 * set owns both texts. USAGE: k is outside. */
ADATOM_API adatom_status adatom_dataset_passed_over(const adatom_dataset *dataset, int k, const char **what,
                                                    size_t *count, const char **example);
/* The pixels of picture `image`: [image_size][image_size][3] bytes, rows from the top, RGB; those of picture image+1
 * follow directly. Owned by the data set. NULL: image is outside 0..images-1, or the data set holds features or
 * pictures that are only listed. */
ADATOM_API const uint8_t *adatom_dataset_pixels(const adatom_dataset *dataset, size_t image);
/* The features of picture `image`: [info.features] numbers; those of picture image+1 follow directly. Owned by the data
 * set. NULL: image is outside 0..images-1, or the data set holds pictures. */
ADATOM_API const float *adatom_dataset_features(const adatom_dataset *dataset, size_t image);
/* Where picture `image` came from: its path below the folder or inside the archive. Owned by the data set. NULL: image
 * is outside 0..images-1. */
ADATOM_API const char *adatom_dataset_path(const adatom_dataset *dataset, size_t image);

typedef struct adatom_verify_params {
    size_t size;
    const adatom_dataset_params *dataset; /* as for adatom_dataset_open(), its progress included; NULL: defaults */
    size_t least;                         /* least number of pictures that a class should have; 0: any */
    /* Called for each problem with one sentence, valid during the call; NULL: problems are only counted. */
    void (*report)(void *user, const char *sentence);
    void *user;
} adatom_verify_params;

/* Examines a data set without stopping at the first problem. Problems are: files that cannot be decoded; folders
 * without pictures or that cannot be entered; pictures of kinds that are not read, without a picture's ending in their
 * names, hidden or outside the class folders; links to nothing; duplicates (same bytes); classes with fewer than
 * `least` pictures, classes whose names differ only in case, spaces or Unicode form, and classes that occur in several
 * splits; rows of a list without a file, and files without a row (unless a split chose the list). Returns OK and the
 * number of *problems, also if there are some. A data set that cannot be read at all fails as in adatom_dataset_open().
 * params may be NULL. */
ADATOM_API adatom_status adatom_dataset_verify(adatom_context *context, const char *spec,
                                               const adatom_verify_params *params, size_t *problems);

#ifdef __cplusplus
}
#endif
#endif
