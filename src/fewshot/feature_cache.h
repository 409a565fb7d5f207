/* Features of a frozen backbone that a device keeps, computed once per picture and shared by all methods, shots and
 * episodes. */
#ifndef AD_FEWSHOT_FEATURE_CACHE_H
#define AD_FEWSHOT_FEATURE_CACHE_H

#include "fewshot/features.h"
#include <adatom/dataset.h>

/* Makes sure that features of pictures `images[count]` (NULL: 0 .. count-1) are in *table, a host array [pictures of
 * the data set][net.features] that the device keeps for the last model and data set (by hash), so that only pictures
 * not seen before pass through the network. A data set of features is such a table itself. */
adatom_status ad_feature_cache_table(const ad_session *session, const adatom_dataset *dataset, const int32_t *images,
                                     size_t count, size_t memory_bytes, const float **table);
#endif
