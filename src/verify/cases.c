#include "verify/cases.h"

#include "verify/cases/families.h"

adatom_status ad_case_list_make(adatom_context *ctx, ad_case_list *out) {
    static void (*const families[])(ad_case_list *) = {
#define AD_FAMILY(base) ad_cases_##base,
#include "plan/ops.def"
    };
    *out = (ad_case_list){.ctx = ctx};
    for (size_t f = 0; f < AD_COUNT(families); f++) families[f](out);
    return out->failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}
