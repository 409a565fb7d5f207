#include "vk/kernels/kernel.h"

#define AD_OP(NAME, name, roles) extern const ad_vk_lowering ad_vk_lowering_##NAME;
#include "plan/ops.def"

const ad_vk_lowering *ad_vk_lowering_of(int op_kind) {
    static const ad_vk_lowering *const lowerings[AD_OP_COUNT] = {
#define AD_OP(NAME, name, roles) &ad_vk_lowering_##NAME,
#include "plan/ops.def"
    };
    return lowerings[op_kind];
}
