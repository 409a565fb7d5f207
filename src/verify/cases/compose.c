/* COMPOSE, COMPOSE_DPSI, COMPOSE_DALPHA, PACK. */
#include "verify/cases/conv_shapes.h"

/* One composition, or what belongs to it, with coefficients of `rows` rows and `ld` columns. */
static void add_composition(ad_case_list *list, int kind, int tasks, ad_geometry g, int rows, int ld, bool quick,
                            bool more) {
    enum { PSI = 1, BASE = 4 };
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
        frozen = c; /* an adapter beside the kernel: a coefficient a pair of channels, and one atom for all */
        ad_case_absent(&frozen, scale);
        ad_case_share(&frozen, PSI);
        ad_case_share(&frozen, BASE);
        if (tasks > 1) ad_case_add(list, frozen, quick, words);
    }
    if (kind == AD_OP_COMPOSE_DALPHA && tasks > 1) {
        ad_case frozen = c;
        ad_case_share(&frozen, PSI);
        ad_case_add(list, frozen, quick, words);
    }
    if (kind != AD_OP_COMPOSE_DALPHA && tasks > 1) ad_case_share(&other, alpha);
    if (more && (scale >= 0 || other.shared != c.shared)) ad_case_add(list, other, quick, words);
    c.op.flags = AD_ACCUMULATE;
    if (more && kind != AD_OP_PACK) ad_case_add(list, c, quick, words);
}

/* Coefficients of the layer's own size, and a slice of larger ones shared with wider layers; those of depthwise
 * kernels, where c = 1; those of groups. */
void ad_cases_compose(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c, o, k, m, more_rows, more_columns;
    } sizes[] = {
        {true, 1, 4, 4, 1, 1, 0, 0},     {true, 3, 8, 12, 3, 3, 4, 8},   {true, 1, 12, 20, 3, 8, 0, 0},
        {false, 1, 20, 8, 5, 9, 44, 56}, {false, 3, 4, 68, 3, 9, 60, 0}, {false, 1, 64, 64, 3, 8, 0, 64},
        {false, 1, 4, 8, 7, 8, 8, 4},    {false, 3, 68, 4, 3, 1, 0, 0},  {false, 3, 4, 5, 3, 3, 4, 1},
        {true, 3, 1, 32, 3, 9, 0, 0},    {false, 1, 1, 20, 5, 25, 0, 0}, {false, 2, 1, 5, 7, 4, 2, 3},
        {true, 1, 1, 16, 3, 3, 0, 16},   {false, 2, 1, 960, 5, 9, 0, 0},
    };
    static const int kinds[] = {AD_OP_COMPOSE, AD_OP_COMPOSE_DPSI, AD_OP_COMPOSE_DALPHA, AD_OP_PACK};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++) {
        for (size_t s = 0; s < AD_COUNT(sizes); s++) {
            const ad_geometry g = {.c = sizes[s].c, .o = sizes[s].o, .k = sizes[s].k, .m = sizes[s].m};
            add_composition(list, kinds[kind], sizes[s].tasks, g, g.c + sizes[s].more_rows, g.o + sizes[s].more_columns,
                            sizes[s].quick, s % 2);
        }
        for (size_t s = 0; s < AD_COUNT(ad_case_grouped_shapes) && kinds[kind] != AD_OP_PACK; s++) {
            const ad_case_shape *shape = &ad_case_grouped_shapes[s];
            const ad_geometry g = {.c = shape->c, .o = shape->o, .k = shape->k, .m = shape->m, .group = shape->group};
            add_composition(list, kinds[kind], shape->tasks, g, g.group, g.group, shape->quick, s % 2 == 0);
        }
    }
}
