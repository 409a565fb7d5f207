/* What every run of a model on a device shares: its parameters and pictures in device memory. */
#ifndef AD_FEWSHOT_RUN_H
#define AD_FEWSHOT_RUN_H

#include "device/device.h"
#include "fewshot/rows.h"
#include "compile/build.h"
#include <adatom/dataset.h>

/* The model's parameter arena on the device (external arena 0 of plans). */
adatom_status ad_upload_parameters(ad_engine *engine, const adatom_model *model, ad_buffer **out);
/* Rows of the data set's pictures; nothing is planned yet. */
ad_rows ad_picture_rows(ad_engine *engine, const adatom_dataset *dataset);
/* scale and shift of GATHER: (pixel/255 - mean)/std. */
void ad_normalisation(const adatom_model *model, float out[8]);
/* Arena 0 = params, 1.. = the chunks of rows. */
adatom_status ad_program_make(ad_engine *engine, const ad_built *built, ad_buffer *params, const ad_rows *rows,
                              ad_program **out);

/* The start of the low-rank adapters of the task in place `slot` (net/lowrank.h); `task` chooses the random numbers.
 * After the init segment.
 */
adatom_status ad_write_lowrank(const ad_engine *engine, ad_program *program, const ad_built *built,
                               const ad_network *net, int rank, uint64_t seed, int task, int slot);

/* lost[t] becomes true for each of the tasks in places 0..tasks-1 whose adapted numbers are not all finite. Nothing
 * adapts: nothing is lost. */
adatom_status ad_find_lost(const ad_engine *engine, ad_program *program, const ad_built *built, int tasks, bool *lost);

/* Bytes of device memory that a run may take: memory_bytes, or, where that is 0, half of what is free. */
size_t ad_memory_allowed(ad_engine *engine, size_t memory_bytes);
/* Builds the plan of params for as many tasks at once as that memory and the device's largest bindable range allow, at
 * most `most`; params->tasks becomes their number. wanted: tasks asked for, 0: as many as are useful. per_task 0: rows
 * are as they were planned. Otherwise rows are planned here: `count` of them to stay, or, where that would cost tasks,
 * in parts of per_task rows for each task. OUT_OF_MEMORY where not even one task fits (without a limit by the caller,
 * into all that is free). */
adatom_status ad_fit_tasks(adatom_device *device, ad_build_params *params, ad_rows *rows, size_t count, size_t per_task,
                           size_t memory_bytes, int wanted, int most, ad_built *out);
#endif
