#include "verify/cases.h"

#include "verify/cases/families.h"

adatom_status ad_case_list_make(adatom_context *ctx, ad_case_list *out) {
    static void (*const families[])(ad_case_list *) = {
        ad_cases_gather,      ad_cases_conv,        ad_cases_compose, ad_cases_atoms,    ad_cases_depth,
        ad_cases_fused_atoms, ad_cases_depthwise,   ad_cases_weights, ad_cases_norm,     ad_cases_elementwise,
        ad_cases_pool,        ad_cases_affine_pool, ad_cases_head,    ad_cases_optimiser};
    *out = (ad_case_list){.ctx = ctx};
    for (size_t f = 0; f < AD_COUNT(families); f++) families[f](out);
    return out->failed ? ADATOM_OUT_OF_MEMORY : ADATOM_OK;
}
