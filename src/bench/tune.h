/* The tuner of one operation. */
#ifndef AD_BENCH_TUNE_H
#define AD_BENCH_TUNE_H

#include "plan/engine.h"

/* Times those variants of plan->ops[op] that are listed, and prefers the fastest for such operations from now on. Only
 * variants that passed the kernel check on this device may be listed. seconds[count]: one run of each, INFINITY where
 * it does not apply; *fastest: a variant. The operation runs on operands of its own, which need as much memory as the
 * plan's. UNSUPPORTED if none applies. */
adatom_status ad_tune_op(ad_engine *engine, const ad_plan *plan, int op, const int *variants, int count,
                         double *seconds, int *fastest);
#endif
