/* Convolutions, ordinary and decomposed, and their kernels. */
#include "verify/cases.h"

static const ad_case_shape shapes[] = {
    {true, 1, 1, 1, 1, 4, 4, 1, 1, 0, 1, 1},
    {true, 3, 2, 5, 7, 8, 12, 3, 1, 1, 1, 3},
    {true, 1, 3, 9, 8, 12, 20, 3, 2, 1, 1, 8},
    {false, 3, 1, 7, 7, 4, 68, 3, 1, 1, 1, 9},
    {false, 1, 2, 6, 5, 68, 4, 3, 1, 0, 1, 8},
    {true, 1, 1, 11, 9, 4, 8, 7, 2, 3, 1, 1},
    {false, 1, 2, 6, 6, 8, 4, 7, 1, 3, 1, 3},
    {false, 3, 1, 8, 8, 8, 8, 5, 1, 2, 1, 3},
    {true, 1, 2, 9, 9, 8, 4, 3, 1, 2, 2, 8},
    {false, 3, 1, 10, 10, 4, 12, 5, 2, 1, 2, 9},
    {false, 1, 5, 4, 4, 64, 64, 3, 1, 1, 1, 8},
    {false, 1, 1, 5, 3, 20, 8, 1, 2, 0, 1, 8},
    {true, 3, 1, 4, 5, 4, 5, 3, 1, 1, 1, 3},  /* rows of outputs that are no multiple of 4 */
    {true, 2, 1, 9, 7, 4, 80, 3, 1, 1, 1, 3}, /* vectors of any length */
    {false, 1, 2, 6, 7, 8, 21, 3, 2, 1, 1, 8},
    {false, 1, 1, 17, 17, 4, 4, 3, 1, 1, 1, 8},
    {false, 3, 2, 2, 2, 4, 20, 3, 1, 1, 1, 1},
    {false, 1, 4, 31, 33, 4, 4, 3, 1, 1, 1, 8}, /* a reduction in many parts */
    {false, 1, 1, 1, 1, 64, 68, 3, 1, 1, 1, 8}, /* only the centre tap is inside */
    {true, 3, 2, 5, 6, 8, 7, 3, 1, 1, 1, 3},    /* outputs that are no vec4 */
    {false, 1, 1, 9, 7, 12, 66, 3, 2, 1, 1, 8},
    {false, 3, 2, 19, 7, 8, 32, 3, 1, 1, 1, 8}, /* whole vectors of outputs, several blocks of
                                                   rows */
    {false, 1, 1, 3, 13, 4, 16, 3, 1, 0, 1, 3},
    {true, 1, 2, 9, 6, 4, 64, 3, 1, 2, 1, 5},
    {false, 1, 1, 4, 5, 4, 16, 3, 1, 3, 1, 2},
    {false, 1, 1, 1, 2, 4, 16, 3, 1, 1, 1, 2},
};

/* Pairs of groups of channels, each with atoms of its own: stages of sum-first, and compositions. */
static const struct {
    ad_case_shape shape;
    int group;
} grouped[] = {
    {{true, 3, 2, 5, 7, 8, 12, 3, 1, 1, 1, 3}, 4},    {{true, 1, 3, 9, 8, 16, 8, 3, 2, 1, 1, 8}, 8},
    {{false, 3, 1, 6, 5, 24, 8, 5, 2, 2, 1, 16}, 8},  {{false, 1, 2, 7, 7, 32, 64, 3, 1, 1, 1, 8}, 16},
    {{false, 1, 1, 11, 9, 12, 12, 3, 1, 2, 2, 9}, 4}, {{false, 3, 1, 4, 5, 20, 60, 1, 1, 0, 1, 8}, 20},
    {{false, 1, 7, 10, 9, 8, 4, 3, 1, 1, 1, 24}, 4},  /* a reduction in many parts */
    {{false, 1, 1, 3, 3, 64, 64, 3, 2, 1, 1, 4}, 64}, /* a single group */
};

/* As matrix products: rows and columns around multiples of tiles. */
static const struct {
    bool quick;
    int tasks, n, h, w, c, o;
} products[] = {
    {true, 1, 1, 13, 5, 20, 68},  {true, 3, 1, 9, 7, 12, 64},     {false, 3, 1, 9, 6, 20, 13},
    {false, 1, 1, 8, 8, 64, 128}, {true, 1, 3, 43, 1, 68, 60},    {false, 3, 1, 16, 8, 4, 132},
    {false, 1, 1, 1, 1, 512, 4},  {false, 1, 2, 1, 127, 256, 12}, {false, 1, 3, 41, 37, 4, 8},
};

/* The variations of one shape: operands shared by the tasks, no bias, adding to the output. shareable: bits of roles.
 */
static void add_variations(ad_case_list *list, int kind, int tasks, ad_geometry g, bool quick, int index,
                           uint32_t shareable) {
    const ad_case plain = ad_case_of(kind, tasks, g);
    ad_case c = plain;
    const int bias = 2;
    if (ad_case_role_is(kind, bias, "bias") && index % 2) ad_case_absent(&c, bias);
    ad_case_add(list, c, quick, NULL);
    for (int role = 0; tasks > 1 && role < AD_OP_TENSORS; role++)
        if ((shareable >> role & 1) && c.op.t[role] >= 0) {
            ad_case shared = c;
            ad_case_share(&shared, role);
            ad_case_add(list, shared, quick, NULL);
        }
    if (index % 3 == 1) {
        c = plain;
        c.op.flags = AD_ACCUMULATE;
        ad_case_add(list, c, quick, NULL);
    }
}

static void add_convolutions(ad_case_list *list) {
    static const int kinds[] = {AD_OP_CONV, AD_OP_CONV_DX, AD_OP_CONV_DW, AD_OP_CONV_DBIAS};
    static const uint32_t shareable[] = {7, 2, 1, 0};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++) {
        for (size_t s = 0; s < AD_COUNT(shapes); s++) {
            ad_geometry g = ad_case_shape_geometry(&shapes[s]);
            g.m = 0;
            add_variations(list, kinds[kind], shapes[s].tasks, g, shapes[s].quick, (int)s, shareable[kind]);
        }
        for (size_t s = 0; s < AD_COUNT(products); s++) {
            const ad_geometry g = ad_case_geometry(products[s].n, products[s].h, products[s].w, products[s].c,
                                                   products[s].o, 1, 1, 0, 1, 0);
            add_variations(list, kinds[kind], products[s].tasks, g, products[s].quick, (int)s, shareable[kind]);
        }
    }
}

static ad_geometry grouped_geometry(size_t s) {
    ad_geometry g = ad_case_shape_geometry(&grouped[s].shape);
    g.group = grouped[s].group;
    return g;
}

static void add_stages(ad_case_list *list) {
    static const int kinds[] = {AD_OP_ATOMS, AD_OP_ATOMS_DU, AD_OP_ATOMS_DPSI,
                                AD_OP_DEPTH, AD_OP_DEPTH_DX, AD_OP_DEPTH_DPSI};
    static const uint32_t shareable[] = {2, 2, 1, 2, 2, 1};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(shapes); s++) {
            const ad_geometry g = ad_case_shape_geometry(&shapes[s]);
            add_variations(list, kinds[kind], shapes[s].tasks, g, shapes[s].quick, (int)s, shareable[kind]);
        }
    for (size_t kind = 3; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(grouped); s++)
            add_variations(list, kinds[kind], grouped[s].shape.tasks, grouped_geometry(s), grouped[s].shape.quick,
                           (int)s, shareable[kind]);
}

/* u in half precision: written by the product, read by the atoms. */
static void add_halves(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(products); s++) {
        if (products[s].o % 4) continue;
        ad_case c = ad_case_of(
            AD_OP_CONV, products[s].tasks,
            ad_case_geometry(products[s].n, products[s].h, products[s].w, products[s].c, products[s].o, 1, 1, 0, 1, 0));
        ad_case_halve(&c, 3);
        if (s % 2) ad_case_share(&c, 1);
        if (s % 3 == 0) ad_case_absent(&c, 2);
        ad_case_add(list, c, products[s].quick, NULL);
    }
    static const int kinds[] = {AD_OP_ATOMS, AD_OP_ATOMS_DPSI};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(shapes); s++) {
            if (shapes[s].o % 4 || (!shapes[s].quick && s % 2)) continue;
            ad_case c = ad_case_of(kinds[kind], shapes[s].tasks, ad_case_shape_geometry(&shapes[s]));
            ad_case_halve(&c, 0);
            if (s % 3 == 1) c.op.flags = AD_ACCUMULATE;
            ad_case_add(list, c, shapes[s].quick, NULL);
        }
}

/* One composition, or what belongs to it, with coefficients of `rows` rows and `ld` columns. */
static void add_composition(ad_case_list *list, int kind, int tasks, ad_geometry g, int rows, int ld, bool quick,
                            bool more) {
    enum { BASE = 4 };
    const int alpha = kind == AD_OP_COMPOSE_DPSI ? 1 : kind == AD_OP_COMPOSE_DALPHA ? 2 : 0;
    const int scale = kind == AD_OP_PACK ? 1 : kind == AD_OP_COMPOSE ? 2 : -1;
    const char *words = !g.group && (ld > g.o || rows > g.c) ? "slice" : NULL;
    ad_case c = ad_case_of(kind, tasks, g);
    c.op.i[0] = ld;
    c.op.i[1] = rows;
    c.count[alpha] = (size_t)rows * (size_t)g.m * (size_t)ld;
    ad_case_add(list, c, quick, words);
    ad_case other = c; /* frozen coefficients without scale or base */
    if (scale >= 0) ad_case_absent(&other, scale);
    if (kind == AD_OP_COMPOSE) {
        ad_case_absent(&other, BASE);
        ad_case frozen = c; /* a residual layer: all but the atoms is shared */
        ad_case_share(&frozen, alpha);
        ad_case_share(&frozen, scale);
        ad_case_share(&frozen, BASE);
        if (tasks > 1) ad_case_add(list, frozen, quick, words);
    }
    if (kind != AD_OP_COMPOSE_DALPHA && tasks > 1) ad_case_share(&other, alpha);
    if (more && (scale >= 0 || other.shared != c.shared)) ad_case_add(list, other, quick, words);
    c.op.flags = AD_ACCUMULATE;
    if (more && kind != AD_OP_PACK) ad_case_add(list, c, quick, words);
}

/* Coefficients of the layer's own size, and a slice of larger ones shared with wider layers; those of groups. */
static void add_compositions(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c, o, k, m, more_rows, more_columns;
    } sizes[] = {
        {true, 1, 4, 4, 1, 1, 0, 0},     {true, 3, 8, 12, 3, 3, 4, 8},   {true, 1, 12, 20, 3, 8, 0, 0},
        {false, 1, 20, 8, 5, 9, 44, 56}, {false, 3, 4, 68, 3, 9, 60, 0}, {false, 1, 64, 64, 3, 8, 0, 64},
        {false, 1, 4, 8, 7, 8, 8, 4},    {false, 3, 68, 4, 3, 1, 0, 0},  {false, 3, 4, 5, 3, 3, 4, 1},
    };
    static const int kinds[] = {AD_OP_COMPOSE, AD_OP_COMPOSE_DPSI, AD_OP_COMPOSE_DALPHA, AD_OP_PACK};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++) {
        for (size_t s = 0; s < AD_COUNT(sizes); s++) {
            const ad_geometry g = {.c = sizes[s].c, .o = sizes[s].o, .k = sizes[s].k, .m = sizes[s].m};
            add_composition(list, kinds[kind], sizes[s].tasks, g, g.c + sizes[s].more_rows, g.o + sizes[s].more_columns,
                            sizes[s].quick, s % 2);
        }
        for (size_t s = 0; s < AD_COUNT(grouped) && kinds[kind] != AD_OP_PACK; s++) {
            const ad_geometry g = {.c = grouped[s].shape.c,
                                   .o = grouped[s].shape.o,
                                   .k = grouped[s].shape.k,
                                   .m = grouped[s].shape.m,
                                   .group = grouped[s].group};
            add_composition(list, kinds[kind], grouped[s].shape.tasks, g, g.group, g.group, grouped[s].shape.quick,
                            s % 2 == 0);
        }
    }
}

/* Kernels scaled by channel; c, o beside what a workgroup or a cache line takes. */
static void add_weights(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c, o, k;
    } sizes[] = {{true, 1, 4, 1, 1},   {true, 3, 8, 20, 3},   {true, 1, 4, 64, 3},
                 {false, 1, 68, 5, 3}, {false, 3, 20, 33, 5}, {false, 1, 512, 64, 3}};
    static const char *const axes[] = {"outputs", "inputs"};
    for (size_t s = 0; s < AD_COUNT(sizes); s++)
        for (int axis = 0; axis < 2; axis++) {
            const ad_geometry g = {.c = sizes[s].c, .o = sizes[s].o, .k = sizes[s].k};
            ad_case norm = ad_case_of(AD_OP_WEIGHT_NORM, sizes[s].tasks, g),
                    scale = ad_case_of(AD_OP_WEIGHT_SCALE, sizes[s].tasks, g);
            ad_case back = ad_case_of(AD_OP_WEIGHT_SCALE_BACK, sizes[s].tasks, g);
            norm.op.i[0] = scale.op.i[0] = back.op.i[0] = axis;
            ad_case_add(list, norm, sizes[s].quick, axes[axis]);
            ad_case_add(list, scale, sizes[s].quick, axes[axis]);
            ad_case_add(list, back, sizes[s].quick, axes[axis]);
            ad_case_alias(&back, 4, 3);
            ad_case_add(list, back, sizes[s].quick, axes[axis]);
            ad_case_share(&norm, 0);
            if (norm.tasks > 1) ad_case_add(list, norm, sizes[s].quick, axes[axis]);
        }
}

void ad_cases_conv(ad_case_list *list) {
    add_convolutions(list);
    add_stages(list);
    add_halves(list);
    add_compositions(list);
    add_weights(list);
}
