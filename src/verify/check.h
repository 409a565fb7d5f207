/* The kernel check on a bare engine (tests) or an opened device (include/adatom/bench.h). */
#ifndef AD_BENCH_CHECK_H
#define AD_BENCH_CHECK_H

#include "verify/cases.h"
#include "plan/engine.h"
#include <adatom/bench.h>

/* As adatom_check_device. params may be NULL; checks and failures too. */
adatom_status ad_check_engine(ad_engine *engine, const adatom_check_params *params, int *checks, int *failures);
/* The same with other cases than the usual ones. */
adatom_status ad_check_cases(ad_engine *engine, const ad_case_list *list, const adatom_check_params *params,
                             int *checks, int *failures);
/* Runs the check of the engine's variants and tensors of reduced precision that have no verdict yet, and tells it the
 * verdicts. CHECK_FAILED: none passes. device: its name, for messages. */
adatom_status ad_check_half(ad_engine *engine, const char *device);
#endif
