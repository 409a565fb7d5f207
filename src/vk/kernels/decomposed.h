/* What COMPOSE*, ATOMS* and DEPTH* share: groups of channels, gradients of atoms, and when the kernels that pass
 * operands from lane to lane apply. */
#ifndef AD_VK_DECOMPOSED_H
#define AD_VK_DECOMPOSED_H

#include "vk/kernels/conv.h"

/* Channels of a group of inputs and of outputs, and the numbers of such groups. Without groups all channels are one. */
static inline int ad_group_in(const ad_geometry *g) { return g->group ? g->group : g->c; }
static inline int ad_group_out(const ad_geometry *g) { return g->group ? g->group : AD_MAX(g->o, 1); }
static inline size_t ad_groups_in(const ad_geometry *g) { return (size_t)(g->c / ad_group_in(g)); }
static inline size_t ad_groups_out(const ad_geometry *g) { return (size_t)AD_MAX(g->o / ad_group_out(g), 1); }

/* Appends the specialization constants of shaders/lib/groups.glsl. */
static inline ad_vk_launch *ad_conv_add_groups(ad_vk_launch *l, const ad_geometry *g) {
    ad_vk_spec(l, (uint32_t)ad_group_in(g));
    ad_vk_spec(l, (uint32_t)ad_group_out(g));
    return l;
}

/* Whether one invocation can hold all atoms: its code and its sums stay small. */
static inline bool ad_conv_few_atoms(const ad_geometry *g) { return g->k * g->k * g->m <= 144; }

/* Whether a kernel of shaders/lib/spread.glsl can run the operation, whose first two roles it reads as
 * texel buffers. */
static inline bool ad_conv_atoms_spread(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return op->g.o % 4 == 0 && ad_conv_few_atoms(&op->g) && ad_vk_aligned(plan, op) && ad_conv_spreads(caps) &&
           ad_conv_texels(caps, plan, op, 2);
}
/* Whether the device and the geometry are such that it is also the one to prefer. */
static inline bool ad_conv_prefers_spread(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.o % 4 == 0 && ad_conv_spreads(caps) && ad_conv_few_atoms(&op->g);
}

/* Adds the launches of a gradient of atoms (shaders/lib/conv_taps.glsl), which sum `items` items into K*K numbers for
 * each atom and write role 2. together: a workgroup sums all atoms; else there is one workgroup an atom. Returns the
 * first launch. */
ad_vk_launch *ad_conv_add_taps(ad_vk_recipe *out, const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps,
                               int kernel, struct ad_push_conv push, size_t items, int tile_a, bool together);
#endif
