#include "vk/kernels/kernel.h"

#define AD_OP(NAME, name, roles) extern const ad_vk_family ad_vk_family_##NAME;
#include "plan/ops.def"

const ad_vk_family *ad_vk_family_of(int op_kind) {
    static const ad_vk_family *const families[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) &ad_vk_family_##NAME,
#include "plan/ops.def"
    };
    return families[op_kind];
}
