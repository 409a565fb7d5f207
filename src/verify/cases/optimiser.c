/* SGD, ADAM. */
#include "verify/cases/families.h"

void ad_cases_optimiser(ad_case_list *list) {
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
