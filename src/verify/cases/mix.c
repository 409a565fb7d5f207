/* MIX. */
#include "verify/cases/families.h"

void ad_cases_mix(ad_case_list *list) {
    enum { X, COUNTER = 2 };
    static const struct {
        bool quick;
        int tasks, n, h, w, c, rounds, counter;
    } sizes[] = {{true, 1, 1, 1, 1, 4, 1, 0},
                 {true, 3, 3, 5, 7, 4, 4, 6},
                 {true, 1, 4, 6, 5, 8, 3, 1},
                 {false, 2, 2, 9, 4, 12, 2, 3},
                 {false, 1, 7, 21, 20, 4, 5, 14}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.n = sizes[s].n, .h = sizes[s].h, .w = sizes[s].w, .c = sizes[s].c};
        ad_case c = ad_case_of(AD_OP_MIX, sizes[s].tasks, g);
        c.op.i[7] = sizes[s].rounds;
        c.counter = sizes[s].counter;
        char words[32];
        ad_print(words, sizeof words, "rounds%d step%d", sizes[s].rounds, sizes[s].counter);
        ad_case_add(list, c, sizes[s].quick, words);
        ad_case_absent(&c, COUNTER);
        if (c.tasks > 1) ad_case_share(&c, X);
        ad_case_add(list, c, sizes[s].quick, words);
    }
}
