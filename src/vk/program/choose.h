/* Which variant runs an operation: the one it names, else the tuner's choice for such operations, else a sound
 * default. */
#ifndef AD_VK_CHOOSE_H
#define AD_VK_CHOOSE_H

#include "vk/program/engine.h"

adatom_status ad_vk_choices_load(vk_engine *e);
void ad_vk_choices_save(vk_engine *e);
adatom_status ad_vk_lower_op(vk_engine *e, const ad_plan *plan, const ad_op *op, ad_vk_recipe *out);
/* ad_engine_api */
int ad_vk_variant_count(const ad_engine *engine, int kind);
const char *ad_vk_variant_name(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant);
void ad_vk_variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant);
bool ad_vk_variant_half(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant,
                        ad_half_variant *out);
#endif
