/* Features as data: what a network makes of pictures, kept in a file or taken from elsewhere. A data set of features
 * stands in place of pictures for episodes, adapters and classification with methods that leave the network as it is
 * (centroid, head, cosine and those that are solved on the host), whatever network made the features: one of this
 * library, or any other. */
#ifndef ADATOM_FEATURES_H
#define ADATOM_FEATURES_H

#include <adatom/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_features_params {
    size_t size;
    const adatom_adapter
        *adapter;        /* whose numbers the model has; its classifier is not used. NULL: the model as it is */
    size_t memory_bytes; /* most bytes of device memory for tensors; 0: half of what is free */
    const char *base_model, *command;  /* the model's file and the command, which are noted; NULL: they are not */
    adatom_progress_callback progress; /* phase EXTRACTING; may be NULL */
    void *user;
} adatom_features_params;

/* Computes the features of all pictures of a data set, whether they are decoded (adatom_dataset_open()) or only listed
 * (adatom_dataset_list()). The features have the pictures' classes, order, names and hash, so that episodes drawn from
 * them are those drawn from the pictures. Listed pictures that cannot be read are left out where the listing has a
 * callback for them, else they are BAD_DATA. params may be NULL. BAD_DATA: the pictures have another size than the
 * model's, the adapter belongs to another model, or no picture can be read; FAILED: features are not finite; USAGE: the
 * data set holds features. The caller owns *out, which lives on without model and dataset. */
ADATOM_API adatom_status adatom_features_compute(adatom_device *device, const adatom_model *model,
                                                 const adatom_dataset *dataset, const adatom_features_params *params,
                                                 adatom_dataset **out);

/* Features in memory. rows, width and values are required. */
typedef struct adatom_feature_table {
    size_t size;
    size_t rows, width;         /* pictures, 1..INT32_MAX; numbers of each, 1..2^20 */
    const float *values;        /* [rows][width] */
    const int64_t *labels;      /* [rows] the class of each picture, >= 0, in any order; NULL: there are no classes */
    const char *const *classes; /* [class_count] names by label, each once; NULL: labels are named by their digits */
    size_t class_count;
    const char *const *names; /* [rows] of the pictures; NULL: "row 0", "row 1" ... */
    const char *name;         /* of the data set, for messages; NULL: "features" */
} adatom_feature_table;
/* Makes a data set of features from memory, of which nothing is kept. Its classes are the labels that occur, in their
 * order; pictures of a class stay in the order of the rows. BAD_DATA: a number is not finite, or a label is negative or
 * has no name (the row is told), or a class has an empty name or that of another; USAGE: there are no values, rows or
 * width are out of range, or classes are named without labels. The caller owns *out. */
ADATOM_API adatom_status adatom_features_create(adatom_context *context, const adatom_feature_table *table,
                                                adatom_dataset **out);

typedef struct adatom_features_load_params {
    size_t size;
    /* A file with the class of each row: .npy of int32 or int64, or a `filename,label` CSV whose rows follow those of
     * the features. NULL: the labels in the file itself, or of X.npy those of X.labels.csv or X.labels.npy beside it,
     * if there is one. */
    const char *labels;
    adatom_progress_callback progress; /* only polled; may be NULL */
    void *user;
} adatom_features_load_params;
/* Reads features from a file, whoever wrote it; what it is, its content says:
 *   - safetensors with a tensor `features` [rows][width] of F32, F16, BF16 or F64, and possibly `labels` [rows] of I64
 * or I32; metadata `classes` and `pictures` may be JSON arrays of names: of labels 0, 1 ..., and of the rows;
 *   - .npy (numpy.save): an array [rows][width] of float16, float32 or float64, in C or Fortran order.
 * Rows may be in any order. Files that adatom_features_save() wrote also tell what the features are of, unless their
 * numbers were changed since (a warning in the log). params may be NULL. BAD_DATA, in one sentence: the file is
 * neither, is cut off, holds other types or shapes or numbers that are not finite, or the labels do not fit. The caller
 * owns *out. */
ADATOM_API adatom_status adatom_features_load(adatom_context *context, const char *path,
                                              const adatom_features_load_params *params, adatom_dataset **out);
/* Such files in memory. */
typedef struct adatom_feature_files {
    size_t size;
    const char *name;  /* of the features, for messages; NULL: "features" */
    const void *bytes; /* safetensors or .npy: bytes_size bytes */
    size_t bytes_size;
    const void *labels; /* .npy or CSV: labels_size bytes; NULL: none but those in the file */
    size_t labels_size;
} adatom_feature_files;
/* The same as adatom_features_load(), from memory, of which nothing is kept. */
ADATOM_API adatom_status adatom_features_parse(adatom_context *context, const adatom_feature_files *files,
                                               adatom_dataset **out);

typedef struct adatom_features_save_params {
    size_t size;
    bool half; /* float16 in place of float32 */
} adatom_features_save_params;
/* Writes features. The name's ending says how:
 *   - F.safetensors: `features` [pictures][features] F32 (F16), `labels` [pictures] I32 where there are classes;
 * metadata `classes` and `pictures`, and `adatom_features`, a JSON object that tells network, preprocessing and
 * pictures;
 *   - F.npy: the array alone, float32 (float16), and F.labels.csv beside it, a `filename,label` list of the rows.
 * Files appear when they are complete, as those of adatom_write_file(). params may be NULL. USAGE: another ending, or
 * the data set holds pictures; BAD_DATA: a number is too large for float16, or a name cannot be kept in a CSV. */
ADATOM_API adatom_status adatom_features_save(const adatom_dataset *features, const char *path,
                                              const adatom_features_save_params *params);
/* Checks before long work whether adatom_features_save() could write there: USAGE or IO, with its sentence. */
ADATOM_API adatom_status adatom_features_check(adatom_context *context, const char *path);

#ifdef __cplusplus
}
#endif
#endif
