/* What every run of a model on a device shares: its parameters and pictures in device memory. */
#ifndef AD_FEWSHOT_RUN_H
#define AD_FEWSHOT_RUN_H

#include "device/device.h"
#include "fewshot/rows.h"
#include "nn/build.h"
#include <adatom/dataset.h>

/* The model's parameter arena on the device (external arena 0 of plans). */
adatom_status ad_upload_parameters(ad_engine *engine, const adatom_model *model, ad_buffer **out);
/* Pictures `images[count]` of the data set as rows 0..count-1. */
adatom_status ad_upload_pictures(ad_engine *engine, const adatom_dataset *dataset, const int32_t *images, size_t count, ad_rows *out);
/* scale and shift of GATHER: (pixel/255 - mean)/std. */
void ad_normalisation(const adatom_model *model, float out[8]);
/* Arena 0 = params, 1.. = the chunks of rows. */
adatom_status ad_program_make(ad_engine *engine, const ad_built *built, ad_buffer *params, const ad_rows *rows, ad_program **out);
#endif
