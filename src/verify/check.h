/* The kernel check: an engine against the double-precision reference. adatom_check_device (include/adatom/bench.h) runs
 * it on an opened device, tests on a bare engine. */
#ifndef AD_VERIFY_CHECK_H
#define AD_VERIFY_CHECK_H

#include "verify/case_list.h"
#include "plan/engine.h"
#include <adatom/bench.h>

/* As adatom_check_device. params may be NULL; checks and failures too. */
adatom_status ad_check_engine(ad_engine *engine, const adatom_check_params *params, int *checks, int *failures);
/* The same with these cases. */
adatom_status ad_check_cases(ad_engine *engine, const ad_case_list *list, const adatom_check_params *params,
                             int *checks, int *failures);
/* Checks those of the engine's variants and tensors of reduced precision that have no verdict yet, and tells the engine
 * the verdicts (verdicts.c). CHECK_FAILED: none passes. device: its name, for messages. */
adatom_status ad_check_half(ad_engine *engine, const char *device);
#endif
