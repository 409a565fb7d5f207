/* Where a task's random numbers start, written after INIT: they depend on the seed and the task's number, not on how
 * many tasks run at once. */
#ifndef AD_FEWSHOT_TASK_START_H
#define AD_FEWSHOT_TASK_START_H

#include "fewshot/session.h"

/* weights[count] of a head with so many features, uniform as torch.nn.Linear starts. */
void ad_draw_head(uint64_t seed, int task, int features, float *weights, size_t count);
/* The adapters of kernels of the task in place `slot` (net/lowrank.h); nothing where the plan has none. */
adatom_status ad_start_lowrank(ad_session *session, uint64_t seed, int task, int slot);
#endif
