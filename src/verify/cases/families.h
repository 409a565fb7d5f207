/* The families of cases: one file each, which adds the cases of its operations to a list. cases.c calls them all. */
#ifndef AD_VERIFY_FAMILIES_H
#define AD_VERIFY_FAMILIES_H

#include "verify/case_list.h"

#define AD_FAMILY(base) void ad_cases_##base(ad_case_list *list);
#include "plan/ops.def"
#endif
