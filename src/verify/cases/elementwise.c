/* ADD, BLEND, FILL, COPY, ADVANCE. */
#include "verify/cases/families.h"

void ad_cases_elementwise(ad_case_list *list) {
    static const struct {
        bool quick;
        int tasks, c;
    } sizes[] = {{true, 1, 1}, {true, 3, 7}, {true, 1, 64}, {false, 3, 1001}, {false, 1, 70000}};
    for (size_t s = 0; s < AD_COUNT(sizes); s++) {
        const ad_geometry g = {.c = sizes[s].c};
        ad_case add = ad_case_of(AD_OP_ADD, sizes[s].tasks, g), fill = ad_case_of(AD_OP_FILL, sizes[s].tasks, g);
        ad_case copy = ad_case_of(AD_OP_COPY, sizes[s].tasks, g), blend = ad_case_of(AD_OP_BLEND, sizes[s].tasks, g);
        ad_case_add(list, add, sizes[s].quick, NULL);
        ad_case_alias(&add, 2, 0);
        if (add.tasks > 1) ad_case_share(&add, 1);
        ad_case_add(list, add, sizes[s].quick, NULL);
        add.op.i[0] = 1;
        ad_case_add(list, add, sizes[s].quick, "less");
        blend.op.f[0] = 0.999f;
        ad_case_add(list, blend, sizes[s].quick, NULL);
        blend.op.f[0] = 0.25f;
        if (blend.tasks > 1) ad_case_share(&blend, 0);
        ad_case_add(list, blend, sizes[s].quick, "quarter");
        fill.op.f[0] = -1.5f;
        ad_case_add(list, fill, sizes[s].quick, NULL);
        fill.op.f[1] = 2.25f;
        fill.op.i[0] = (sizes[s].c + 2) / 2; /* in the middle, and the only one */
        ad_case_add(list, fill, sizes[s].quick, "apart");
        ad_case_add(list, copy, sizes[s].quick, NULL);
        copy.op.i[0] = 8;
        ad_case_add(list, copy, sizes[s].quick, "late");
        copy.op.i[0] = 0;
        ad_case_share(&copy, 0);
        if (copy.tasks > 1) ad_case_add(list, copy, sizes[s].quick, NULL);
    }
    ad_case advance = ad_case_of(AD_OP_ADVANCE, 3, (ad_geometry){0});
    advance.op.tasks = 1;
    advance.counter = 41;
    ad_case_share(&advance, 0);
    ad_case_add(list, advance, true, NULL);
}
