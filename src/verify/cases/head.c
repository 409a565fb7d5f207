/* LINEAR*, ROW_NORM*, CLASS_MEAN*, MEAN_HEAD*, SOFTMAX_CE. */
#include "verify/cases/families.h"

#include <string.h>

static void add_linear(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, n, c, o;
        float factor;
    } sizes[] = {
        {true, 1, 1, 1, 1, 1},     {true, 3, 5, 65, 5, 2},    {true, 1, 25, 64, 7, 1},  {false, 3, 3, 7, 20, 0.5f},
        {false, 1, 75, 100, 5, 1}, {false, 1, 2, 130, 67, 2}, {false, 3, 9, 640, 4, 1},
    };
    static const int kinds[] = {AD_OP_LINEAR, AD_OP_LINEAR_DX, AD_OP_LINEAR_DW};
    static const int bias[] = {2, -1, 3}, weights[] = {1, 1, 0};
    for (size_t kind = 0; kind < AD_COUNT(kinds); kind++)
        for (size_t s = 0; s < AD_COUNT(sizes); s++) {
            const ad_geometry g = {.n = sizes[s].n, .c = sizes[s].c, .o = sizes[s].o};
            ad_case c = ad_case_of(kinds[kind], sizes[s].tasks, g);
            c.op.f[0] = sizes[s].factor;
            ad_case_add(list, c, sizes[s].quick, NULL);
            ad_case other = c;
            if (bias[kind] >= 0) ad_case_absent(&other, bias[kind]);
            if (other.tasks > 1) ad_case_share(&other, weights[kind]);
            if (other.tasks > 1 || bias[kind] >= 0) ad_case_add(list, other, sizes[s].quick, NULL);
            c.op.flags = AD_ACCUMULATE;
            if (s % 2) ad_case_add(list, c, sizes[s].quick, NULL);
        }
}

/* Of all labels, and with rows of no class. */
static void add_class_means(ad_case_list *list, int tasks, ad_geometry g, bool quick) {
    ad_case mean = ad_case_of(AD_OP_CLASS_MEAN, tasks, g), back = ad_case_of(AD_OP_CLASS_MEAN_BACK, tasks, g);
    ad_case_add(list, mean, quick, NULL);
    ad_case_add(list, back, quick, NULL);
    back.op.flags = AD_ACCUMULATE;
    ad_case_add(list, back, quick, NULL);
    mean.unlabelled = back.unlabelled = 3;
    ad_case_add(list, mean, quick, "unlabelled");
    ad_case_add(list, back, quick, "unlabelled");
    back.op.flags = 0;
    ad_case_add(list, back, quick, "unlabelled");
}

/* Each optional operand absent, scale of all tasks and of one. */
static void add_mean_heads(ad_case_list *list, int tasks, ad_geometry g, bool quick) {
    enum { BIAS = 2, SCALE, BACK_SCALE = 3, DSCALE = 5 };
    ad_case head = ad_case_of(AD_OP_MEAN_HEAD, tasks, g), back = ad_case_of(AD_OP_MEAN_HEAD_BACK, tasks, g);
    head.op.f[0] = back.op.f[0] = 2;
    ad_case_add(list, head, quick, NULL);
    ad_case_add(list, back, quick, NULL);
    ad_case_absent(&head, BIAS);
    ad_case_absent(&back, BIAS);
    ad_case_share(&head, SCALE);
    ad_case_share(&back, BACK_SCALE);
    ad_case_add(list, head, quick, NULL);
    ad_case_add(list, back, quick, NULL);
    ad_case_present(&head, BIAS);
    ad_case_present(&back, BIAS);
    ad_case_absent(&head, SCALE);
    ad_case_absent(&back, BACK_SCALE);
    ad_case_absent(&back, DSCALE);
    ad_case_add(list, head, quick, NULL);
    ad_case_add(list, back, quick, NULL);
}

static void add_heads(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, n, c, o;
    } sizes[] = {
        {true, 1, 1, 1, 1}, {true, 3, 5, 7, 3}, {true, 1, 25, 64, 5}, {false, 3, 20, 65, 20}, {false, 1, 3, 1600, 5}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .c = sizes[s].c, .o = sizes[s].o};
        ad_case_add(list, ad_case_of(AD_OP_ROW_NORM, sizes[s].tasks, g), sizes[s].quick, NULL);
        ad_case_add(list, ad_case_of(AD_OP_ROW_NORM_BACK, sizes[s].tasks, g), sizes[s].quick, NULL);
        add_class_means(list, sizes[s].tasks, g, sizes[s].quick);
        add_mean_heads(list, sizes[s].tasks, g, sizes[s].quick);
    }
}

enum { LOGITS, LABELS, COUNTER, LOSS, DLOGITS, PREDICTED, MIX, TEACHER }; /* of SOFTMAX_CE */

/* Labels of two pictures, a teacher's logits, and both, each operand absent once. */
static void add_soft_targets(ad_case_list *list, const ad_case *plain, bool quick, const char *words) {
    for (int what = 1; what < 4; what++) {
        ad_case c = *plain;
        char more[80];
        ad_print(more, sizeof more, "%s%s", words, what == 2 ? " half-taught" : what == 3 ? " taught" : "");
        if (what & 1) ad_case_present(&c, MIX);
        if (what & 2) ad_case_present(&c, TEACHER);
        c.op.f[1] = what == 2 ? 0.5f : what == 3 ? 0.9f : 0;
        c.op.f[2] = what == 2 ? 4 : 1.5f;
        ad_case_add(list, c, quick, more);
        ad_case other = c;
        ad_case_absent(&other, COUNTER);
        ad_case_absent(&other, DLOGITS);
        ad_case_add(list, other, quick, more);
        ad_case_absent(&c, LOSS);
        ad_case_absent(&c, PREDICTED);
        if (what == 2) c.unlabelled = 3;
        ad_case_add(list, c, quick, more);
        ad_case_present(&c, PREDICTED);
        ad_case_absent(&c, DLOGITS);
        ad_case_add(list, c, quick, more);
    }
}

static void add_softmax(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, n, o, rounds, counter;
        float smoothing;
    } sizes[] = {
        {true, 1, 1, 1, 1, 0, 0},   {true, 3, 5, 5, 4, 6, 0.1f},    {true, 1, 75, 5, 1, 0, 0},
        {false, 3, 3, 20, 3, 2, 0}, {false, 1, 4, 129, 1, 0, 0.1f},
    };
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .o = sizes[s].o};
        ad_case c = ad_case_of(AD_OP_SOFTMAX_CE, sizes[s].tasks, g), other;
        c.op.i[7] = sizes[s].rounds;
        c.counter = sizes[s].counter;
        c.op.f[0] = sizes[s].smoothing;
        char words[60];
        ad_print(words, sizeof words, "rounds%d step%d smoothing%g", sizes[s].rounds, sizes[s].counter,
                 (double)sizes[s].smoothing);
        ad_case_add(list, c, sizes[s].quick, words);
        other = c;
        ad_case_absent(&other, COUNTER);
        ad_case_absent(&other, DLOGITS);
        ad_case_add(list, other, sizes[s].quick, words);
        other = c;
        ad_case_absent(&other, LOSS);
        ad_case_absent(&other, PREDICTED);
        ad_case_add(list, other, sizes[s].quick, words);
        add_soft_targets(list, &c, sizes[s].quick, words);
        for (int every = 3; every > 0; every -= 2) {
            other = c;
            other.unlabelled = every;
            char more[80];
            ad_print(more, sizeof more, "%s %s-unlabelled", words, every == 1 ? "all" : "some");
            ad_case_add(list, other, sizes[s].quick, more);
        }
        ad_case_absent(&c, LABELS);
        ad_case_absent(&c, LOSS);
        ad_case_absent(&c, DLOGITS);
        ad_case_add(list, c, sizes[s].quick, words);
        if (sizes[s].n < 4 || sizes[s].o < 2) continue;
        c.lost = true;
        strcat(words, " not-finite");
        ad_case_add(list, c, sizes[s].quick, words);
    }
}

void ad_cases_head(ad_case_list *list) {
    add_linear(list);
    add_heads(list);
    add_softmax(list);
}
