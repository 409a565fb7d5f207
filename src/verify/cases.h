/* All cases of all operations: the kernel check proves them. */
#ifndef AD_VERIFY_CASES_H
#define AD_VERIFY_CASES_H

#include "verify/case_list.h"

/* ad_case_list_clear(out) afterwards, also after a failure. */
adatom_status ad_case_list_make(adatom_context *ctx, ad_case_list *out);
#endif
