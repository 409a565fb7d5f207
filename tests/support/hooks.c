/* The hooks themselves. */
#include "tests/support/hooks.h"
#include "base/hooks.h"
#include "vk/program/choose.h"

#include <stdatomic.h>

static _Atomic long fail_countdown = -1;

long ad_test_fail_allocation(long n) { return atomic_exchange(&fail_countdown, n); }

bool ad_test_allocation_fails(void) {
    if (atomic_load(&fail_countdown) < 0) return false;
    return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

void ad_vk_test_omit_barriers(ad_engine *engine, bool omit) { vk_engine_of(engine)->omit_barriers = omit; }

void ad_vk_test_dispatch_seconds(ad_engine *engine, double most) { vk_engine_of(engine)->dispatch_seconds = most; }

void ad_vk_test_row_groups(ad_engine *engine, uint32_t most) { vk_engine_of(engine)->caps.max_groups[0] = most; }

void ad_vk_test_force_staging(ad_engine *engine) { vk_engine_of(engine)->device.mapped = false; }

bool ad_vk_test_matrix(ad_engine *engine, int m, int n, int k) {
    vk_engine *e = vk_engine_of(engine);
    if (!e->caps.half || !e->device.physical.full_subgroup) return false;
    e->caps.matrix = (ad_vk_matrix){.m = (uint32_t)m,
                                    .n = (uint32_t)n,
                                    .k = (uint32_t)k,
                                    .subgroup = e->device.physical.full_subgroup,
                                    .khr = true};
    return true;
}

void ad_vk_test_replace_module(ad_engine *engine, int kernel, const uint32_t *words, size_t word_count) {
    vk_module *module = &vk_engine_of(engine)->pipelines.modules[kernel];
    module->words = words;
    module->bytes = word_count * sizeof *words;
}

const uint32_t *ad_vk_test_module(int kernel, size_t *word_count, const char **name) {
    vk_module modules[AD_VK_KERNEL_COUNT + 1];
    ad_vk_modules_init(modules);
    *word_count = modules[kernel].bytes / sizeof(uint32_t);
    *name = modules[kernel].name;
    return modules[kernel].words;
}

bool ad_vk_test_lower(ad_engine *engine, const ad_plan *plan, const ad_op *op, struct ad_vk_recipe *recipe) {
    return ad_vk_lower_op(vk_engine_of(engine), plan, op, recipe) == ADATOM_OK;
}

int ad_vk_test_kernel(ad_engine *engine, const ad_plan *plan, const ad_op *op) {
    ad_vk_recipe recipe;
    return ad_vk_lower_op(vk_engine_of(engine), plan, op, &recipe) == ADATOM_OK ? recipe.launches[0].kernel : -1;
}
