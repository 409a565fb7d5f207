/* Features of a frozen backbone, computed once per picture and device, and shared by all methods, shots and episodes. */
#ifndef AD_FEWSHOT_FEATURES_H
#define AD_FEWSHOT_FEATURES_H

#include "fewshot/rows.h"
#include "nn/network.h"
#include <adatom/dataset.h>
#include <adatom/device.h>

/* Features of pictures, a row each of size x size pixels, under the model, a batch at a time: take is given those of pictures first ..
 * first + count - 1, [count][net.features]. */
adatom_status ad_features_compute(adatom_device *device, const adatom_model *model, const ad_rows *pictures, int size,
                                  void (*take)(void *user, size_t first, size_t count, const float *values), void *user);
/* Features of pictures `images[count]` as rows on the device: [count][net.features] floats. The device keeps a host copy of
 * those of the last model and data set (by hash), so that only pictures not seen before pass through the network. */
adatom_status ad_features_rows(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset, const int32_t *images,
                               size_t count, ad_rows *out);
#endif
