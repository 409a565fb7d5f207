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

/* The start of the low-rank adapters of the task in place `slot` (nn/lowrank.h); `task` chooses the random numbers. After the init segment.
 */
adatom_status ad_write_lowrank(const ad_engine *engine, ad_program *program, const ad_built *built, const ad_network *net, int rank,
                               uint64_t seed, int task, int slot);

/* Builds the plan of params for as many tasks at once as the device's memory and its largest bindable range allow beside data_bytes of
 * pictures, at most `most`; params->tasks becomes their number. memory_bytes: a limit for both together, 0: what is free; wanted: tasks
 * asked for, 0: as many as are useful. OUT_OF_MEMORY where not even one fits. */
adatom_status ad_fit_tasks(adatom_device *device, ad_build_params *params, size_t data_bytes, size_t memory_bytes, int wanted, int most,
                           ad_built *out);
#endif
