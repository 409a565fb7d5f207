/* Features of a frozen backbone that a device keeps, computed once per picture and shared by all methods, shots and
 * episodes. */
#ifndef AD_FEWSHOT_FEATURE_CACHE_H
#define AD_FEWSHOT_FEATURE_CACHE_H

#include "fewshot/features.h"
#include <adatom/dataset.h>

typedef struct ad_cached_wanted {
    const int32_t *numbers; /* of pictures, or of views of them (ad_view_number); NULL: 0 .. count-1 */
    size_t count;
    int views;   /* the largest number of a view */
    bool mirror; /* means over a picture and its mirror image */
    uint64_t seed;
    size_t memory_bytes;
} ad_cached_wanted;

/* Makes sure that what is wanted is in *table, a host array [(1 + views)*pictures of the data set][net.features] that
 * the device keeps for the last model and data set (by hash), so that only what was not wanted before passes through
 * the network. A data set of features is such a table itself, without views. */
adatom_status ad_feature_cache_table(const ad_session *session, const adatom_dataset *dataset,
                                     const ad_cached_wanted *wanted, const float **table);
#endif
