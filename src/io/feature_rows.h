/* Rows of features as they come from memory or a file, in any order, on their way to a data set. */
#ifndef AD_IO_FEATURE_ROWS_H
#define AD_IO_FEATURE_ROWS_H

#include "io/file_tensor.h"
#include "io/row_order.h"
#include <adatom/features.h>

#define AD_FEATURES_TENSOR "features"
#define AD_LABELS_TENSOR "labels"
/* Members of the metadata. The hash is that of the numbers, labels and names (ad_features_hash). */
#define AD_FEATURES_NOTE "adatom_features"
#define AD_FEATURES_CLASSES "classes"
#define AD_FEATURES_PICTURES "pictures"
#define AD_FEATURES_HASH "adatom_hash"

typedef struct ad_feature_rows {
    ad_row_labels by;                       /* the data set's name, and the rows' labels; rows is that of numbers */
    ad_file_tensor numbers;                 /* of rank 2 */
    const char *hash, *model_hash, *origin; /* as in ad_feature_set */
} ad_feature_rows;

/* Refuses a tensor that is no table of floats of a possible size. */
adatom_status ad_feature_rows_check(adatom_context *ctx, const char *name, const ad_file_tensor *numbers);
adatom_status ad_feature_rows_wrap(adatom_context *ctx, ad_feature_rows *rows, adatom_dataset **out);

/* Whether the name ends in ".npy". */
bool ad_features_is_npy(const char *path);
/* Of such a name, "F.npy", "F" and the suffix; ad_free(). NULL: out of memory. */
char *ad_features_beside(adatom_context *ctx, const char *path, const char *suffix);
/* Of a file's numbers, labels and names. */
uint64_t ad_features_hash(const void *numbers, size_t number_bytes, const void *labels, size_t label_bytes,
                          const char *classes, const char *pictures);
#endif
