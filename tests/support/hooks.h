/* What tests do to the library's inside that it offers nobody else. Every test of adatom_test (tests/CMakeLists.txt)
 * has it. */
#ifndef AD_TESTS_SUPPORT_HOOKS_H
#define AD_TESTS_SUPPORT_HOOKS_H

#include "plan/engine.h"

/* The n-th allocation from now (0 = the next) fails, once; a negative n turns it off. Returns what was left to count:
 * it is negative if that allocation came, and failed. */
long ad_test_fail_allocation(long n);

/* Runs kernel `kernel` (ad_vk_kernel) from other SPIR-V in this engine from now on; the words must outlive it. */
void ad_vk_test_replace_module(ad_engine *engine, int kernel, const uint32_t *words, size_t word_count);
/* Acts as if the device had matrix units of this shape; for kernels that emulate them. False: it has no full subgroups
 * or was not opened for half precision. */
bool ad_vk_test_matrix(ad_engine *engine, int m, int n, int k);
/* Leaves out the barriers of programs created from now on: the positive control of synchronization validation. */
void ad_vk_test_omit_barriers(ad_engine *engine, bool omit);
/* What one dispatch of this engine may take at most from the next recording on: longer ones are divided. */
void ad_vk_test_dispatch_seconds(ad_engine *engine, double most);
/* Acts as if the device allowed so many workgroups on the first axis. */
void ad_vk_test_row_groups(ad_engine *engine, uint32_t most);
/* Buffers made from now on are reached through the staging buffer, as on a GPU with memory of its own. */
void ad_vk_test_force_staging(ad_engine *engine);
/* The SPIR-V of kernel `kernel` (ad_vk_kernel) as it is built in, and its name. */
const uint32_t *ad_vk_test_module(int kernel, size_t *word_count, const char **name);
/* What a program would run for op. False: nothing (message set). recipe: ad_vk_recipe of vk/kernels/kernel.h. */
struct ad_vk_recipe;
bool ad_vk_test_lower(ad_engine *engine, const ad_plan *plan, const ad_op *op, struct ad_vk_recipe *recipe);
/* The kernel (ad_vk_kernel) that a program would run first for op; -1: none. */
int ad_vk_test_kernel(ad_engine *engine, const ad_plan *plan, const ad_op *op);
#endif
