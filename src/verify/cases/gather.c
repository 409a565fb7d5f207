/* GATHER, GATHER_ROWS. */
#include "verify/cases/families.h"

static void add_pictures(ad_case_list *list) {
    enum { CENTRE, SHIFTED, RESIZED };
    enum { COUNTER = 2, DRAW = 5 };
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
        {true, 2, 6, 5, 5, SHIFTED, 2, 2, 3, true, 0.4f, 0.4f, 0.4f},
        {true, 1, 9, 6, 6, RESIZED, 0, 1, 4, true, 0, 0, 0},
        {false, 1, 7, 9, 9, CENTRE, 0, 1, 1, false, 0, 0, 0},
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
        for (int p = 0; p < 8; p++) {
            c.op.i[p] = integers[p];
            c.op.f[p] = numbers[p];
        }
        c.op.flags = sizes[s].flip ? AD_FLIP : 0;
        char words[64], more[80];
        ad_print(words, sizeof words, "%s%s jitter%g,%g,%g step%d", modes[sizes[s].mode], sizes[s].flip ? " flip" : "",
                 (double)sizes[s].brightness, (double)sizes[s].contrast, (double)sizes[s].saturation, sizes[s].counter);
        ad_case_add(list, c, sizes[s].quick, words);
        ad_case_absent(&c, DRAW);
        ad_case_add(list, c, sizes[s].quick, words);
        ad_case_absent(&c, COUNTER);
        if (s % 2 == 0) ad_case_add(list, c, sizes[s].quick, words);
        ad_case_present(&c, COUNTER);
        if (sizes[s].n % 2 == 0) {
            ad_case m = c;
            m.op.flags |= AD_MIRROR;
            ad_print(more, sizeof more, "%s mirrored", words);
            ad_case_add(list, m, sizes[s].quick, more);
            ad_case_present(&m, DRAW);
            ad_case_add(list, m, sizes[s].quick, more);
        }
        if (sizes[s].h != sizes[s].w) continue;
        c.op.flags |= AD_TURN;
        ad_print(more, sizeof more, "%s turned", words);
        ad_case_add(list, c, sizes[s].quick, more);
        ad_case_present(&c, DRAW);
        ad_case_add(list, c, sizes[s].quick, more);
    }
}

static void add_rows(ad_case_list *list) {
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

void ad_cases_gather(ad_case_list *list) {
    add_pictures(list);
    add_rows(list);
}
