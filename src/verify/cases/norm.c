/* BN_*, AFFINE, AFFINE_SUMS, AFFINE_BACK. */
#include "plan/activation.h"
#include "verify/cases/families.h"

#include <stdio.h>

static const struct {
    bool quick;
    int tasks, n, h, w, c;
} shapes[] = {
    {true, 1, 1, 1, 1, 4},     {true, 3, 2, 3, 5, 8},    {true, 1, 3, 7, 7, 12},
    {false, 1, 5, 9, 9, 64},   {false, 3, 1, 16, 16, 4}, {false, 1, 1, 33, 31, 4},
    {false, 1, 2, 8, 8, 68},   {false, 3, 5, 1, 1, 640}, {false, 1, 8, 40, 41, 4}, /* a reduction in many parts */
    {false, 1, 3, 1, 1, 4108}, /* more channels than are taken at a time */
};

static ad_case of(int kind, size_t shape) {
    const ad_geometry g = {.n = shapes[shape].n, .h = shapes[shape].h, .w = shapes[shape].w, .c = shapes[shape].c};
    return ad_case_of(kind, shapes[shape].tasks, g);
}

static void add_activated(ad_case_list *list, ad_case c, size_t shape, int act) {
    ad_case_activate(&c, act);
    ad_case_add(list, c, shapes[shape].quick, ad_act_name(act));
}

/* AFFINE_SUMS and AFFINE_BACK with the operands that the derivative is taken from. */
static ad_case back_of(int kind, size_t shape, int act) {
    ad_case c = of(kind, shape);
    ad_case_activate_back(&c, act);
    return c;
}

static void add_norm(ad_case_list *list) {
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        const bool quick = shapes[s].quick;
        ad_case_add(list, of(AD_OP_BN_STATS, s), quick, NULL);
        ad_case fold = of(AD_OP_BN_FOLD, s), running = of(AD_OP_BN_RUNNING, s),
                sums = back_of(AD_OP_AFFINE_SUMS, s, AD_ACT_NONE);
        fold.op.f[0] = 1e-5f;
        ad_case_add(list, fold, quick, NULL);
        running.op.f[0] = 0.1f;
        running.op.f[1] = 25.0f / 24;
        ad_case_add(list, running, quick, NULL);
        add_activated(list, sums, s, (int)(s % 3));
        for (int batch = 0; batch < 2; batch++) {
            ad_case back = of(AD_OP_BN_BACK, s);
            back.op.i[0] = batch;
            back.op.f[0] = 1e-5f;
            ad_case_add(list, back, quick, batch ? "batch" : "frozen");
            if (shapes[s].tasks > 1) { /* several tasks over frozen parameters */
                ad_case_absent(&back, 3 + batch);
                ad_case_share(&back, 1);
                ad_case_share(&back, 2);
                ad_case_add(list, back, quick, batch ? "batch" : "frozen");
            }
        }
        if (shapes[s].tasks > 1) {
            for (int role = 0; role < 3; role++) ad_case_share(&fold, role);
            ad_case_add(list, fold, quick, NULL);
            ad_case_share(&sums, 3);
            add_activated(list, sums, s, AD_ACT_RELU);
        }
    }
}

static void add_affine(ad_case_list *list) {
    enum { X, COEF, RESIDUAL, Y };
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        ad_case full = of(AD_OP_AFFINE, s), c = full;
        add_activated(list, c, s, AD_ACT_RELU);
        if (shapes[s].tasks > 1) {
            ad_case_share(&c, COEF);
            add_activated(list, c, s, AD_ACT_LEAKY);
        }
        ad_case_alias(&c, Y, RESIDUAL);
        add_activated(list, c, s, AD_ACT_RELU);
        c = full;
        ad_case_absent(&c, RESIDUAL);
        add_activated(list, c, s, AD_ACT_LEAKY);
        ad_case_alias(&c, Y, X);
        add_activated(list, c, s, AD_ACT_NONE);
        ad_case_absent(&c, COEF);
        add_activated(list, c, s, AD_ACT_RELU);
        c = full;
        ad_case_absent(&c, COEF);
        add_activated(list, c, s, AD_ACT_LEAKY);
    }
}

static void add_affine_back(ad_case_list *list) {
    enum { Y, DY, BACK, X, DX, DRESIDUAL };
    for (size_t s = 0; s < AD_COUNT(shapes); s++) {
        const ad_case full = back_of(AD_OP_AFFINE_BACK, s, AD_ACT_NONE);
        ad_case c = full;
        add_activated(list, c, s, AD_ACT_RELU);
        ad_case_alias(&c, DX, DY);
        add_activated(list, c, s, AD_ACT_LEAKY);
        ad_case_absent(&c, DRESIDUAL);
        add_activated(list, c, s, AD_ACT_RELU);
        if (shapes[s].tasks > 1) ad_case_share(&c, BACK);
        ad_case_absent(&c, X);
        add_activated(list, c, s, AD_ACT_LEAKY);
        c = full;
        ad_case_absent(&c, X);
        ad_case_alias(&c, DRESIDUAL, DY);
        add_activated(list, c, s, AD_ACT_RELU);
        ad_case_absent(&c, BACK);
        add_activated(list, c, s, AD_ACT_RELU);
        ad_case_absent(&c, DX);
        add_activated(list, c, s, AD_ACT_NONE);
        c = full;
        c.op.flags = AD_ACCUMULATE;
        add_activated(list, c, s, AD_ACT_LEAKY);
        ad_case_absent(&c, DX);
        ad_case_absent(&c, X);
        ad_case_absent(&c, BACK);
        add_activated(list, c, s, AD_ACT_RELU);
    }
}

/* The other activations, with every combination of what their derivatives are taken from. */
static void add_further(ad_case_list *list) {
    enum { X, COEF, RESIDUAL, Y, BACK_DY = 1, BACK_BACK, BACK_X, BACK_DX, BACK_DRESIDUAL, BACK_COEF, SUMS_COEF = 5 };
    for (size_t s = 0; s < AD_COUNT(shapes); s++)
        for (int act = AD_ACT_RELU6; act < AD_ACT_COUNT; act++) {
            ad_case c = of(AD_OP_AFFINE, s);
            add_activated(list, c, s, act);
            ad_case_alias(&c, Y, X);
            ad_case_absent(&c, RESIDUAL);
            if ((s + (size_t)act) % 2) ad_case_absent(&c, COEF);
            add_activated(list, c, s, act);

            c = back_of(AD_OP_AFFINE_SUMS, s, act);
            if ((s + (size_t)act) % 2) ad_case_absent(&c, SUMS_COEF);
            if (shapes[s].tasks > 1) ad_case_share(&c, SUMS_COEF);
            add_activated(list, c, s, act);

            const ad_case full = back_of(AD_OP_AFFINE_BACK, s, act);
            add_activated(list, full, s, act);
            c = full;
            ad_case_absent(&c, BACK_DRESIDUAL);
            ad_case_alias(&c, BACK_DX, BACK_DY);
            if ((s + (size_t)act) % 2) ad_case_absent(&c, BACK_COEF);
            add_activated(list, c, s, act);
            c.op.i[1] = 1;
            if (shapes[s].tasks > 1) ad_case_share(&c, BACK_BACK);
            char words[40];
            snprintf(words, sizeof words, "%s x-of-activation", ad_act_name(act));
            ad_case_add(list, c, shapes[s].quick, words);
            ad_case_absent(&c, BACK_BACK);
            add_activated(list, c, s, act);
            if (!ad_act_by_output(act)) continue;
            c = full;
            ad_case_absent(&c, BACK_X);
            ad_case_absent(&c, BACK_DX);
            c.op.flags = AD_ACCUMULATE;
            add_activated(list, c, s, act);
        }
}

/* Operands with NaN, as of a task that diverged: a NaN stays one. */
static void add_not_finite(ad_case_list *list) {
    static const int kinds[] = {AD_OP_AFFINE, AD_OP_AFFINE_BACK, AD_OP_AFFINE_SUMS};
    for (size_t s = 0; s < 3; s++) {
        for (size_t k = 0; k < AD_COUNT(kinds); k++)
            for (int act = AD_ACT_NONE; act < AD_ACT_COUNT; act++) {
                ad_case c = kinds[k] == AD_OP_AFFINE ? of(kinds[k], s) : back_of(kinds[k], s, act);
                c.lost = true;
                ad_case_activate(&c, act);
                if (kinds[k] == AD_OP_AFFINE && s == 1) ad_case_absent(&c, 2);
                char words[40];
                snprintf(words, sizeof words, "%s not-finite", ad_act_name(act));
                ad_case_add(list, c, shapes[s].quick, words);
            }
        ad_case stats = of(AD_OP_BN_STATS, s);
        stats.lost = true;
        ad_case_add(list, stats, shapes[s].quick, "not-finite");
    }
}

void ad_cases_norm(ad_case_list *list) {
    add_norm(list);
    add_affine(list);
    add_affine_back(list);
    add_further(list);
    add_not_finite(list);
}
