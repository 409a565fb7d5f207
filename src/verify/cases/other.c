/* Heads, loss, optimisers, data, and the small operations. */
#include "verify/cases.h"

#include <stdio.h>
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
        ad_case_add(list, ad_case_of(AD_OP_CLASS_MEAN, sizes[s].tasks, g), sizes[s].quick, NULL);
        ad_case head = ad_case_of(AD_OP_MEAN_HEAD, sizes[s].tasks, g);
        head.op.f[0] = 2;
        ad_case_add(list, head, sizes[s].quick, NULL);
    }
}

static void add_softmax(ad_case_list *list) {
    enum { LOGITS, LABELS, COUNTER, LOSS, DLOGITS, PREDICTED };
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

static void add_optimisers(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c, step, option;
    } sizes[] = {
        {true, 1, 1, 0, 0}, {true, 3, 7, 2, 1}, {true, 1, 1000, 1, 0}, {false, 3, 257, 0, 1}, {false, 3, 64, 1, 0}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.c = sizes[s].c};
        ad_case sgd = ad_case_of(AD_OP_SGD, sizes[s].tasks, g), adam = ad_case_of(AD_OP_ADAM, sizes[s].tasks, g);
        sgd.counter = adam.counter = sizes[s].step;
        sgd.count[3] = adam.count[4] = 8 * 3; /* a schedule of three steps */
        sgd.op.i[0] = adam.op.i[0] = sizes[s].option;
        sgd.op.i[1] = adam.op.i[1] = (int)s % 6;
        const float sgd_f[] = {0.9f, sizes[s].option ? 0 : 0.9f, 1e-3f}, adam_f[] = {0.9f, 0.999f, 1e-8f, 1e-2f};
        for (size_t f = 0; f < AD_COUNT(sgd_f); f++) sgd.op.f[f] = sgd_f[f];
        for (size_t f = 0; f < AD_COUNT(adam_f); f++) adam.op.f[f] = adam_f[f];
        char words[24];
        ad_print(words, sizeof words, "step%d%s", sizes[s].step, sizes[s].option ? " nesterov" : "");
        ad_case_add(list, sgd, sizes[s].quick, words);
        ad_print(words, sizeof words, "step%d%s", sizes[s].step, sizes[s].option ? " decoupled" : "");
        ad_case_add(list, adam, sizes[s].quick, words);
    }
}

static void add_small(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c;
    } sizes[] = {{true, 1, 1}, {true, 3, 7}, {true, 1, 64}, {false, 3, 1001}, {false, 1, 70000}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.c = sizes[s].c};
        ad_case add = ad_case_of(AD_OP_ADD, sizes[s].tasks, g), fill = ad_case_of(AD_OP_FILL, sizes[s].tasks, g);
        ad_case copy = ad_case_of(AD_OP_COPY, sizes[s].tasks, g);
        ad_case_add(list, add, sizes[s].quick, NULL);
        ad_case_alias(&add, 2, 0);
        if (add.tasks > 1) ad_case_share(&add, 1);
        ad_case_add(list, add, sizes[s].quick, NULL);
        fill.op.f[0] = -1.5f;
        ad_case_add(list, fill, sizes[s].quick, NULL);
        ad_case_add(list, copy, sizes[s].quick, NULL);
        ad_case_share(&copy, 0);
        if (copy.tasks > 1) ad_case_add(list, copy, sizes[s].quick, NULL);
    }
    ad_case advance = ad_case_of(AD_OP_ADVANCE, 3, (ad_geometry){0});
    advance.op.tasks = 1;
    advance.counter = 41;
    ad_case_share(&advance, 0);
    ad_case_add(list, advance, true, NULL);
}

static void add_gather(ad_case_list *list) {
    enum { CENTRE, SHIFTED, RESIZED };
    static const char *const modes[] = {"centre", "shifted", "resized"};
    static const struct {
        bool quick;
        int tasks, n, h, w, mode, pad, rounds, counter;
        bool flip;
        float brightness, contrast, saturation;
    } sizes[] = {
        {true, 1, 2, 5, 7, CENTRE, 0, 1, 0, false, 0, 0, 0},
        {true, 3, 3, 9, 11, SHIFTED, 2, 2, 5, true, 0.4f, 0.4f, 0.4f},
        {true, 3, 4, 6, 5, RESIZED, 0, 3, 7, true, 0, 0, 0},
        {false, 1, 5, 9, 8, CENTRE, 0, 1, 3, true, 0.8f, 0, 0},
        {false, 1, 5, 8, 8, SHIFTED, 8, 1, 1, false, 0, 0.5f, 0},
        {false, 1, 5, 8, 10, RESIZED, 0, 1, 2, true, 0.4f, 0.4f, 0.4f},
        {false, 3, 1, 20, 20, RESIZED, 0, 1, 9, true, 0, 0, 0.9f},
        {false, 1, 1, 1, 1, SHIFTED, 1, 1, 0, true, 0, 0, 0},
    };
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .h = sizes[s].h, .w = sizes[s].w, .c = 4};
        ad_case c = ad_case_of(AD_OP_GATHER, sizes[s].tasks, g);
        c.counter = sizes[s].counter;
        const int chunk_first = 3, chunk_count = 5, rows = 9, columns = 11;
        const int integers[8] = {chunk_first,   chunk_count,  rows,  columns,
                                 sizes[s].mode, sizes[s].pad, 12345, sizes[s].rounds};
        const float numbers[8] = {
            0.08f, 1, 0.75f, 4 / 3.0f, sizes[s].brightness, sizes[s].contrast, sizes[s].saturation, 0.45f};
        for (int p = 0; p < 8; p++) c.op.i[p] = integers[p], c.op.f[p] = numbers[p];
        c.op.flags = sizes[s].flip ? AD_FLIP : 0;
        char words[64];
        ad_print(words, sizeof words, "%s%s jitter%g,%g,%g step%d", modes[sizes[s].mode], sizes[s].flip ? " flip" : "",
                 (double)sizes[s].brightness, (double)sizes[s].contrast, (double)sizes[s].saturation, sizes[s].counter);
        ad_case_add(list, c, sizes[s].quick, words);
        ad_case_absent(&c, 2);
        if (s % 2 == 0) ad_case_add(list, c, sizes[s].quick, words);
    }
    static const int widths[] = {4, 64, 1600, 7};
    for (size_t s = 0; s < AD_COUNT(widths); s++) {
        ad_case c = ad_case_of(AD_OP_GATHER_ROWS, s % 2 ? 3 : 1, (ad_geometry){.n = 5, .c = widths[s]});
        c.op.i[0] = 2;
        c.op.i[1] = 6;
        c.op.i[7] = 2;
        c.counter = 3;
        ad_case_add(list, c, s < 2, "step3");
        ad_case_absent(&c, 2);
        ad_case_add(list, c, s < 2, NULL);
    }
}

void ad_cases_other(ad_case_list *list) {
    add_linear(list);
    add_heads(list);
    add_softmax(list);
    add_optimisers(list);
    add_small(list);
    add_gather(list);
}
