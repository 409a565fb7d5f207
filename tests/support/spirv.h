/* Reads the SPIR-V that glslang makes of the compute shaders, and tells of a module what validators and software
 * drivers do not tell: which barriers some invocations of a workgroup may miss, and which bindings it touches. */
#ifndef AD_TESTS_SUPPORT_SPIRV_H
#define AD_TESTS_SUPPORT_SPIRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of barriers, subgroup operations and operations on matrices that the module has (*seen), and how many of
 * them are in control flow that may differ between the invocations of a workgroup: under a condition that does, in a
 * loop whose number of turns does, or after a return that not all invocations take. A value differs if it comes of the
 * number of the invocation, or of memory at an address that differs; without races memory at one address is the same
 * for all. */
int spirv_divergent_barriers(const uint32_t *words, size_t count, int *seen);

/* Bits of the bindings that the module reads and writes when its specialization constants have these values; branches
 * that constants decide are followed one way only. */
void spirv_touched_bindings(const uint32_t *words, size_t count, const uint32_t *constants, int constant_count,
                            uint32_t *read, uint32_t *written);
#endif
