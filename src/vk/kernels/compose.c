/* COMPOSE, COMPOSE_DPSI, COMPOSE_DALPHA, PACK, ATOMS, ATOMS_DU, ATOMS_DPSI, DEPTH, DEPTH_DX, DEPTH_DPSI. */
#include "vk/kernels/conv.h"

/* Variants of the kernels that read rows of vec4. */
enum { PLAIN = 1, TEXEL, SPREAD, TOGETHER = SPREAD, ROLLING };
static int preferred(const ad_op *op, const ad_vk_caps *caps) {
    return caps->software && op->g.o % 4 == 0 ? TEXEL : PLAIN;
}

/* All atoms in one invocation: as long as its code and sums stay small. */
static bool small(const ad_geometry *g) { return g->k * g->k * g->m <= 144; }
static bool spreads(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return op->g.o % 4 == 0 && small(&op->g) && ad_vk_aligned(plan, op) && ad_conv_spreads(caps) &&
           ad_conv_texels(caps, plan, op, 2);
}
static bool rolls(const ad_geometry *g) { return g->stride == 1 && g->dil == 1; }
static int preferred_spread(const ad_op *op, const ad_vk_caps *caps) {
    const int variant = preferred(op, caps);
    return variant == TEXEL && ad_conv_spreads(caps) && small(&op->g) ? SPREAD : variant;
}

static size_t inputs_of(const ad_geometry *g) { return (size_t)g->n * (size_t)g->h * (size_t)g->w; }
static size_t outputs_of(const ad_geometry *g) { return (size_t)g->n * (size_t)g->oh * (size_t)g->ow; }

/* Channels of a group of inputs and of outputs, and groups: one of everything where there are none. */
static int group_in(const ad_geometry *g) { return g->group ? g->group : g->c; }
static int group_out(const ad_geometry *g) { return g->group ? g->group : AD_MAX(g->o, 1); }
static size_t groups_in(const ad_geometry *g) { return (size_t)(g->c / group_in(g)); }
static size_t groups_out(const ad_geometry *g) { return (size_t)AD_MAX(g->o / group_out(g), 1); }

/* The constants of lib/groups.glsl. */
static ad_vk_launch *add_groups(ad_vk_launch *l, const ad_geometry *g) {
    ad_vk_spec(l, (uint32_t)group_in(g));
    ad_vk_spec(l, (uint32_t)group_out(g));
    return l;
}

/* Gradients of atoms, lib/conv_taps.glsl: K*K sums of `items` items for each atom into role 2, by workgroups for one
 * atom or for all. Adding up lanes and writing costs as much as a few items an atom. */
static ad_vk_launch *add_taps_of(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel,
                                 struct ad_push_conv push, size_t items, int tile_a, bool together) {
    const size_t atoms = groups_in(&op->g) * groups_out(&op->g) * (size_t)op->g.m,
                 outputs = atoms * (size_t)(op->g.k * op->g.k);
    const size_t each = together ? 1 : atoms;
    const int lanes = ad_conv_lanes(caps);
    const size_t chunks = ad_conv_splits(caps, items, each, outputs, (together ? 32 : 4) * (size_t)lanes, (size_t)lanes,
                                         op->tasks, &push.span);
    push.count = (int32_t)(chunks * each);
    ad_vk_launch *l =
        add_groups(ad_conv_add(out, op, kernel, &push, (ad_conv_tile){.lanes = lanes, .a = tile_a}), &op->g);
    ad_vk_groups(l, caps, chunks * each, op->tasks);
    ad_conv_reduce(out, op, caps, 2, 2, chunks, outputs);
    return &out->launches[0];
}
static ad_vk_launch *add_taps(ad_vk_recipe *out, const ad_op *op, const ad_vk_caps *caps, int kernel,
                              struct ad_push_conv push, size_t items, int tile_a) {
    return add_taps_of(out, op, caps, kernel, push, items, tile_a, false);
}

/* Kernels as vec4 of outputs; i[0]: the coefficients' leading dimension. */
enum { SINGLE = 1, SHARED_LOADS };
static bool shares(const ad_plan *plan, const ad_op *op, const ad_vk_caps *caps) {
    return !op->g.group && op->i[0] % 4 == 0 && spreads(plan, op, caps) &&
           ad_conv_texels(caps, plan, op, AD_OP_TENSORS);
}
static int preferred_shared(const ad_op *op, const ad_vk_caps *caps) {
    return !op->g.group && op->i[0] % 4 == 0 && preferred_spread(op, caps) == SPREAD ? SHARED_LOADS : SINGLE;
}

static bool lower_compose(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                          ad_vk_recipe *out) {
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = (op->t[2] >= 0 ? AD_COMPOSE_SCALE : 0) | (op->t[4] >= 0 ? AD_COMPOSE_BASE : 0);
    if (variant == SHARED_LOADS && shares(plan, op, caps)) {
        ad_conv_spread(out, op, caps, AD_VK_COMPOSE_SPREAD, push, (size_t)op->g.c * (size_t)op->g.o / 4, 1)->texel =
            0x17;
        return true;
    }
    if (variant != SINGLE) return false;
    add_groups(ad_conv_items(out, op, caps, AD_VK_COMPOSE, push, (size_t)op->g.c * (size_t)op->g.o, 1), &op->g);
    return true;
}

static bool lower_compose_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                               ad_vk_recipe *out) {
    if (variant != 1) return false;
    add_taps(out, op, caps, AD_VK_COMPOSE_DPSI, ad_conv_push(plan, op),
             (size_t)group_in(&op->g) * (size_t)group_out(&op->g), 1);
    return true;
}

static bool lower_compose_dalpha(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                                 ad_vk_recipe *out) {
    const size_t items = (size_t)op->i[1] * (size_t)op->g.m * (size_t)op->i[0];
    if (variant == SHARED_LOADS && shares(plan, op, caps)) {
        const size_t vectors = items / (size_t)op->g.m / 4;
        ad_conv_spread(out, op, caps, AD_VK_COMPOSE_DALPHA_SPREAD, ad_conv_push(plan, op), vectors, 1)->texel = 3;
        return true;
    }
    if (variant != SINGLE) return false;
    add_groups(ad_conv_items(out, op, caps, AD_VK_COMPOSE_DALPHA, ad_conv_push(plan, op), items, 1), &op->g);
    return true;
}

static bool lower_pack(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (variant != 1) return false;
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[1] >= 0;
    ad_conv_items(out, op, caps, AD_VK_PACK, push, (size_t)op->g.c * (size_t)op->g.m * (size_t)op->g.o, 1);
    return true;
}

/* {vec4, number by number, texel buffers}; -1 where the variant does not apply. texels: roles read as texel buffers. */
static int kernel_of(const int kernels[3], const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                     int texels) {
    const bool wide = op->g.o % 4 == 0 && ad_vk_aligned(plan, op);
    if (variant == PLAIN) return kernels[wide ? 0 : 1];
    return variant == TEXEL && wide && ad_conv_texels(caps, plan, op, texels) ? kernels[2] : -1;
}

static size_t vectors_of(int kernel, const int kernels[3], int o) {
    return kernel == kernels[1] ? (size_t)o : (size_t)o / 4;
}

/* Outputs of a line that an invocation computes: more of them share the inputs they load, within the registers there
 * are. */
static int strip_of(const ad_geometry *g) {
    const int reach = (g->k - 1) * g->dil;
    for (int strip = 8; strip > 1; strip /= 2)
        if ((strip - 1) * g->stride + reach < 18 && strip / 2 < g->ow) return strip;
    return 1;
}

/* Of a line, for all atoms: wide strips share loads; 504 products of vec4 are as much code as compiles quickly. */
static int wide_strip(const ad_geometry *g, int line) {
    return ad_conv_balanced((size_t)line, (size_t)AD_MIN(7, 504 / (g->k * g->k * g->m)));
}

static int preferred_atoms(const ad_op *op, const ad_vk_caps *caps) {
    const int variant = preferred_spread(op, caps);
    return variant == SPREAD && rolls(&op->g) ? ROLLING : variant;
}

static bool lower_atoms(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS, AD_VK_ATOMS_1, AD_VK_ATOMS_TEXEL};
    const int strip = strip_of(&op->g);
    const size_t strips = (size_t)op->g.n * (size_t)op->g.oh * ad_conv_ceil((size_t)op->g.ow, (size_t)strip);
    struct ad_push_conv push = ad_conv_push(plan, op);
    push.optional = op->t[2] >= 0;
    if (variant == SPREAD && spreads(plan, op, caps)) {
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_SPREAD, push, strips * (size_t)op->g.o / 4, strip)->texel = 3;
        return true;
    }
    if (variant == ROLLING && rolls(&op->g) && spreads(plan, op, caps)) {
        const int columns = wide_strip(&op->g, op->g.ow);
        const size_t across = ad_conv_ceil((size_t)op->g.ow, (size_t)columns) * (size_t)op->g.n * (size_t)op->g.o / 4;
        const size_t spans = ad_conv_splits(caps, (size_t)op->g.oh, ad_conv_ceil(across, caps->subgroup), 1, 8, 1,
                                            op->tasks, &push.span);
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_ROLLING, push, spans * across, columns)->texel = 3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 1);
    if (kernel < 0) return false;
    ad_vk_launch *l = ad_conv_items(out, op, caps, kernel, push, strips * vectors_of(kernel, kernels, op->g.o), strip);
    l->texel = variant == TEXEL ? 1 : 0;
    ad_conv_half(l, plan, op, 0);
    return true;
}

static bool lower_atoms_du(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS_DU, AD_VK_ATOMS_DU_1, AD_VK_ATOMS_DU_TEXEL};
    const int strip = op->g.w >= 4 ? 4 : 1;
    const size_t lines = (size_t)op->g.n * (size_t)op->g.h, o4 = (size_t)op->g.o / 4;
    if (variant == SPREAD && spreads(plan, op, caps)) {
        const struct ad_push_conv push = ad_conv_push(plan, op);
        ad_conv_spread(out, op, caps, AD_VK_ATOMS_DU_SPREAD, push,
                       lines * ad_conv_ceil((size_t)op->g.w, (size_t)strip) * o4, strip)
            ->texel = 3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 1);
    if (kernel < 0) return false;
    const size_t items =
        lines * ad_conv_ceil((size_t)op->g.w, (size_t)strip) * (size_t)op->g.m * vectors_of(kernel, kernels, op->g.o);
    ad_vk_launch *l = ad_conv_items(out, op, caps, kernel, ad_conv_push(plan, op), items, strip);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

static bool lower_atoms_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    static const int kernels[] = {AD_VK_ATOMS_DPSI, AD_VK_ATOMS_DPSI_1, AD_VK_ATOMS_DPSI_TEXEL};
    if (variant == TOGETHER && spreads(plan, op, caps)) {
        const int strip = wide_strip(&op->g, op->g.w);
        const size_t strips = (size_t)op->g.n * (size_t)op->g.h * ad_conv_ceil((size_t)op->g.w, (size_t)strip);
        const struct ad_push_conv push = ad_conv_push(plan, op);
        add_taps_of(out, op, caps, AD_VK_ATOMS_DPSI_TOGETHER, push, strips * (size_t)op->g.o / 4, strip, true)->texel =
            3;
        return true;
    }
    const int kernel = kernel_of(kernels, plan, op, variant, caps, 2), strip = strip_of(&op->g);
    if (kernel < 0) return false;
    const size_t strips = (size_t)op->g.n * (size_t)op->g.oh * ad_conv_ceil((size_t)op->g.ow, (size_t)strip);
    ad_vk_launch *l =
        add_taps(out, op, caps, kernel, ad_conv_push(plan, op), strips * vectors_of(kernel, kernels, op->g.o), strip);
    l->texel = variant == TEXEL ? 3 : 0;
    ad_conv_half(l, plan, op, 0);
    return true;
}

static bool lower_depth(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps, ad_vk_recipe *out) {
    if (!ad_vk_aligned(plan, op) || variant > TEXEL || (variant == TEXEL && !ad_conv_texels(caps, plan, op, 1)))
        return false;
    const int kernel = variant == TEXEL ? AD_VK_DEPTH_TEXEL : AD_VK_DEPTH;
    const size_t items = outputs_of(&op->g) * groups_out(&op->g) * (size_t)group_in(&op->g) / 4;
    ad_vk_launch *l = add_groups(ad_conv_items(out, op, caps, kernel, ad_conv_push(plan, op), items, 1), &op->g);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

static bool lower_depth_dx(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                           ad_vk_recipe *out) {
    if (variant != 1) return false;
    add_groups(
        ad_conv_items(out, op, caps, AD_VK_DEPTH_DX, ad_conv_push(plan, op), inputs_of(&op->g) * (size_t)op->g.c, 1),
        &op->g);
    return true;
}

static bool lower_depth_dpsi(const ad_plan *plan, const ad_op *op, int variant, const ad_vk_caps *caps,
                             ad_vk_recipe *out) {
    if (!ad_vk_aligned(plan, op) || variant > TEXEL || (variant == TEXEL && !ad_conv_texels(caps, plan, op, 1)))
        return false;
    const int kernel = variant == TEXEL ? AD_VK_DEPTH_DPSI_TEXEL : AD_VK_DEPTH_DPSI;
    const size_t items = outputs_of(&op->g) * (size_t)group_in(&op->g) / 4;
    ad_vk_launch *l = add_taps(out, op, caps, kernel, ad_conv_push(plan, op), items, 1);
    l->texel = variant == TEXEL ? 1 : 0;
    return true;
}

const ad_vk_family ad_vk_family_COMPOSE = {
    .lower = lower_compose, .variants = {"taps", "spread"}, .preferred = preferred_shared};
const ad_vk_family ad_vk_family_COMPOSE_DPSI = {.lower = lower_compose_dpsi, .variants = {"taps"}};
const ad_vk_family ad_vk_family_COMPOSE_DALPHA = {
    .lower = lower_compose_dalpha, .variants = {"single", "spread"}, .preferred = preferred_shared};
const ad_vk_family ad_vk_family_PACK = {.lower = lower_pack, .variants = {"single"}};
const ad_vk_family ad_vk_family_ATOMS = {
    .lower = lower_atoms, .variants = {"strip", "texel", "spread", "rolling"}, .preferred = preferred_atoms};
const ad_vk_family ad_vk_family_ATOMS_DU = {
    .lower = lower_atoms_du, .variants = {"strip", "texel", "spread"}, .preferred = preferred_spread};
const ad_vk_family ad_vk_family_ATOMS_DPSI = {
    .lower = lower_atoms_dpsi, .variants = {"strip", "texel", "together"}, .preferred = preferred_spread};
const ad_vk_family ad_vk_family_DEPTH = {.lower = lower_depth, .variants = {"single", "texel"}, .preferred = preferred};
const ad_vk_family ad_vk_family_DEPTH_DX = {.lower = lower_depth_dx, .variants = {"single"}};
const ad_vk_family ad_vk_family_DEPTH_DPSI = {
    .lower = lower_depth_dpsi, .variants = {"single", "texel"}, .preferred = preferred};
