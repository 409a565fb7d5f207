/* The families of cases: one file each, which adds the cases of its operations to a list. cases.c calls them all. */
#ifndef AD_VERIFY_FAMILIES_H
#define AD_VERIFY_FAMILIES_H

#include "verify/case_list.h"

void ad_cases_gather(ad_case_list *list);
void ad_cases_conv(ad_case_list *list);
void ad_cases_compose(ad_case_list *list);
void ad_cases_atoms(ad_case_list *list);
void ad_cases_depth(ad_case_list *list);
void ad_cases_fused_atoms(ad_case_list *list);
void ad_cases_weights(ad_case_list *list);
void ad_cases_norm(ad_case_list *list);
void ad_cases_elementwise(ad_case_list *list);
void ad_cases_pool(ad_case_list *list);
void ad_cases_affine_pool(ad_case_list *list);
void ad_cases_layer_norm(ad_case_list *list);
void ad_cases_channel_scale(ad_case_list *list);
void ad_cases_head(ad_case_list *list);
void ad_cases_optimiser(ad_case_list *list);
#endif
