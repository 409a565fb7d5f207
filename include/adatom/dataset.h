/* Data sets: labelled pictures, decoded once to square uint8 RGB and kept in a cache. A data set does not change once
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
    int image_size; /* pictures are resized (see interpolation) and centre-cropped to so many pixels square; 0: 84 */
    int resize; /* their shorter side becomes this before the square is cropped from the centre; 0: image_size. Builtin
                   sets are made in their size and not resized */
    const char *split; /* builtin: base, val, novel or all (NULL: all); else the list SPLIT.csv in the folder or
                          archive, or, where there is none, only the pictures in a folder named SPLIT (at the topmost
                          level where it lies beside other splits, so that a class of that name is one) */
    const char *csv;   /* a `filename,label` list to apply to the folder or archive; NULL: folders are the classes, but
                          pictures   that all lie in one folder take their labels from the one list beside them */
    const char *cache_dir; /* decoded pictures are kept here, keyed by a hash of the contents; NULL: not kept. What the
                              system says of files (place, size, times) only decides whether they must be read to know
                              their contents */
    uint64_t cache_bytes;  /* most that is kept there besides this data set; what was longest not used goes first; 0: 16
                              GiB */
    int threads;           /* decoding; 0: all processors */
    uint64_t max_pixels;   /* per picture, checked before decoding; 0: 64 Mi */
    uint64_t decode_bytes; /* that all threads together may hold while decoding; one picture proceeds whatever it needs.
                              0: a quarter of the memory that is available, at most 768 MiB */
    const char *background; /* shines through transparent pictures: white, black, grey or RRGGBB in hexadecimal digits;
                               NULL: white */
    bool allow_truncated;   /* takes what there is of truncated and damaged pictures, with one warning in the log that
                               counts them;   such a data set isn't kept in the cache. Else they are BAD_DATA. verify
                               reports them anyway */
    uint64_t seed;          /* builtin sets */
    bool refuse_empty;      /* a folder without any picture below it is BAD_DATA; else it is passed over */
    int builtin_per_class;  /* pictures a class of builtin sets; 0: 60 */
    adatom_progress_callback progress; /* DECODING */
    void *user;
    /* open_pictures: called for each picture that can't be read, with a sentence; the others are opened. NULL: the
     * first one fails. */
    void (*unreadable)(void *user, const char *picture, const char *sentence);
    adatom_interpolation interpolation; /* how pictures are scaled; default: fast-bilinear */
} adatom_dataset_params;

typedef struct adatom_dataset_info {
    size_t size;
    const char *name; /* the spec it was opened with, in UTF-8 as names of classes are; owned by the data set */
    char hash[17];    /* of the decoded pixels, labels and class names: the same for a folder and its archive */
    int classes, image_size;
    size_t images;
    char background[7]; /* the colour behind transparent pictures, RRGGBB */
    size_t damaged;     /* truncated and damaged pictures among them that were taken nevertheless (allow_truncated) */
    size_t passed_over; /* files and folders that were: adatom_dataset_passed_over */
    int passed_kinds;   /* how many kinds of them */
} adatom_dataset_info;

/* spec:
 *   - a folder, or an archive (zip, tar, tar.gz, tar.xz; read in place), with a folder per class at any depth. The
 * class's name is the path below what all pictures have in common: "n01855672", or "Greek/character01" (Omniglot);
 *   - a miniImageNet `filename,label` CSV with its pictures beside it or under images/;
 *   - "builtin:shapes", with a split also written "builtin:shapes/base": 104 procedural classes, 64 base, 16 val, 24
 * novel. The pictures of adatom_picture_kinds are read, of whatever kind their content is; greyscale becomes RGB,
 * transparency is laid over the background, pictures are turned as their EXIF says. Links are followed, in archives,
 * too (as far as they lead to something in there). Other files, hidden ones and folders of other systems (__MACOSX,
 * @eaDir, $RECYCLE.BIN ...) are passed over; what may be missed (pictures of another kind, links to nothing, folders
 * that can't be looked into) is counted and told by one warning a kind. Pictures are ordered by class name, then by
 * path (bytewise). Names of classes and paths are UTF-8: in one that isn't, every byte that doesn't fit and every % is
 * %XX. Classes of train/, val/ and test/ that are the same are told by a warning where no split was chosen. Resizing:
 * shorter side to `resize` by a filter as wide as the reduction factor (see adatom_interpolation; half-pixel centres),
 * longer side rounded down, then the centre is cropped; pictures of image_size stay as they are where resize
 * is image_size. params may be NULL. BAD_DATA: one sentence naming the file, line or class; USAGE: a parameter out of
 * range. A cache that can't be written is only a warning in the log. */
ADATOM_API adatom_status adatom_dataset_open(adatom_context *context, const char *spec,
                                             const adatom_dataset_params *params, adatom_dataset **out);
/* Pictures without classes, to be classified: pictures, folders and archives in the order given (what a folder holds,
 * by path). They form one class named "". A file named by itself is a picture or an archive by its content. Of params,
 * image_size, resize, interpolation, background, allow_truncated, threads, max_pixels, decode_bytes, progress and
 * unreadable count. BAD_DATA names the first that cannot be read; with unreadable only if none can. */
ADATOM_API adatom_status adatom_dataset_open_pictures(adatom_context *context, const char *const *paths, size_t count,
                                                      const adatom_dataset_params *params, adatom_dataset **out);
/* The kinds of pictures this build reads: "JPEG, PNG, BMP, GIF, PNM", and "WebP", "TIFF", "HEIC, AVIF" where their
 * libraries were there when it was built. Static. */
ADATOM_API const char *adatom_picture_kinds(void);
ADATOM_API void adatom_dataset_destroy(adatom_dataset **dataset);
ADATOM_API adatom_status adatom_dataset_describe(const adatom_dataset *dataset, adatom_dataset_info *out);
/* Class c's name and its pictures: numbers first .. first+count-1. USAGE outside 0..classes-1. */
ADATOM_API adatom_status adatom_dataset_class(const adatom_dataset *dataset, int c, const char **name, size_t *first,
                                              size_t *count);
/* What was passed over on the way to the data set, by kind: k from 0 to passed_kinds-1. what: "links to something that
 * is not there"; example: the first path of that kind. Both are owned by the data set. USAGE outside. */
ADATOM_API adatom_status adatom_dataset_passed_over(const adatom_dataset *dataset, int k, const char **what,
                                                    size_t *count, const char **example);
/* Pixels of picture `image`: image_size*image_size*3 bytes, rows from the top, RGB; picture image+1 follows at once.
 * NULL outside. Owned by the data set. */
ADATOM_API const uint8_t *adatom_dataset_pixels(const adatom_dataset *dataset, size_t image);
/* Where the picture came from: the path below the folder or inside the archive. NULL outside. Owned by the data set. */
ADATOM_API const char *adatom_dataset_path(const adatom_dataset *dataset, size_t image);

typedef struct adatom_verify_params {
    size_t size;
    const adatom_dataset_params *dataset; /* as for adatom_dataset_open(), its progress included; NULL: defaults */
    size_t least;                         /* pictures that every class should have */
    void (*report)(void *user, const char *sentence); /* each problem, one sentence; NULL: they are only counted */
    void *user;
} adatom_verify_params;

/* Examines a data set without stopping at the first problem: undecodable files, folders without pictures or that can't
 * be looked into, pictures of kinds that aren't read, with names that don't say so, hidden or outside the class
 * folders, links to nothing, duplicates (same bytes), classes with fewer than `least` pictures, equal but for case,
 * spaces or Unicode form, or doubled in train/ and test/, rows without file, files without row (unless a split chose
 * the list). Returns OK with the number of *problems also when there are some; a data set that can't be read at all
 * fails as in open. params may be NULL. */
ADATOM_API adatom_status adatom_dataset_verify(adatom_context *context, const char *spec,
                                               const adatom_verify_params *params, size_t *problems);

#ifdef __cplusplus
}
#endif
#endif
