/* Features of a frozen backbone, computed once per picture and device, and shared by all methods, shots and episodes.
 */
#ifndef AD_FEWSHOT_FEATURES_H
#define AD_FEWSHOT_FEATURES_H

#include "net/network.h"
#include <adatom/dataset.h>
#include <adatom/device.h>

/* Features of pictures `images[count]` (NULL: 0 .. count-1) of a table of size x size x 3 bytes each under the model, a
 * batch at a time: take is given those of the first .. first + n - 1 of them, [n][net.features]. Only two batches of
 * pictures are on the device at once; batches are smaller where memory_bytes (0: half of what is free) asks for that.
 */
adatom_status ad_features_compute(adatom_device *device, const adatom_model *model, const uint8_t *pixels, int size,
                                  const int32_t *images, size_t count, size_t memory_bytes,
                                  void (*take)(void *user, size_t first, size_t n, const float *values), void *user);
/* Whether that will find the memory: OUT_OF_MEMORY where memory_bytes does not hold one picture's. */
adatom_status ad_features_plan(adatom_device *device, const adatom_model *model, int size, size_t count,
                               size_t memory_bytes);
/* Makes sure that features of pictures `images[count]` (NULL: 0 .. count-1) are in *table, a host array [pictures of
 * the data set][net.features] that the device keeps for the last model and data set (by hash), so that only pictures
 * not seen before pass through the network. */
adatom_status ad_features_table(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                const int32_t *images, size_t count, size_t memory_bytes, const void **table);
#endif
