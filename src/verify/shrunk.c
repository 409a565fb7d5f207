#include "verify/shrunk.h"
#include "verify/check.h"

#include <stdio.h>
#include <string.h>

enum { MOST_ELEMENTS = 1 << 16, DETAIL = 400 };

static void keep_first_failure(void *user, const adatom_check_result *result) {
    char *detail = user;
    if (!result->passed && !detail[0])
        snprintf(detail, DETAIL, "%s/%s %s: %s", result->operation, result->variant, result->data, result->detail);
}

/* The same operation on fewer images, tasks and pixels. What a kernel does at borders, at tails and with channels
 * stays. */
static ad_case shrink(const ad_case *c, double most_flops, char *what, size_t size) {
    ad_case small = *c;
    ad_geometry *g = &small.op.g;
    memset(small.count, 0, sizeof small.count);
    small.tasks = AD_MIN(c->tasks, 2);
    small.op.tasks = (int16_t)AD_MIN((int)c->op.tasks, small.tasks);
    if (small.op.kind == AD_OP_TASK_SUM) small.op.i[0] = AD_MIN(small.op.i[0], small.tasks);
    if (g->n > 0) g->n = g->h > 0 ? 1 : AD_MIN(g->n, 5);
    if (what) snprintf(what, size, "double precision, b%d", AD_MAX(g->n, 1));
    if (g->n == 0 && g->k == 0 && g->c > MOST_ELEMENTS) { /* elementwise: its geometry is a count */
        g->c = MOST_ELEMENTS;
        if (what) snprintf(what, size, "double precision, %d numbers", g->c);
    }
    if (g->h > AD_VERIFY_SIZE && g->k < AD_VERIFY_SIZE && ad_op_flops(&small.op) > most_flops) {
        g->h = AD_VERIFY_SIZE;
        g->w = AD_VERIFY_SIZE;
        *g = ad_case_geometry(*g);
        if (what) snprintf(what, size, "double precision, b%d %dx%d", g->n, g->h, g->w);
    }
    return small;
}

adatom_status ad_verify_case(ad_engine *engine, const ad_case *c, const char *variant, double most_flops, char *what,
                             size_t size) {
    ad_case_list list = {.ctx = engine->ctx};
    char detail[DETAIL] = "", filter[80];
    ad_case_add(&list, shrink(c, most_flops, what, size), true, NULL);
    snprintf(filter, sizeof filter, "%s/%s/", ad_op_name(c->op.kind), variant ? variant : "");
    const adatom_check_params params = {
        .filter = variant ? filter : NULL, .seed = 1, .report = keep_first_failure, .user = detail};
    adatom_status status = list.failed ? ADATOM_OUT_OF_MEMORY : ad_check_cases(engine, &list, &params, NULL, NULL);
    ad_case_list_clear(&list);
    if (status == ADATOM_CHECK_FAILED) return ad_fail(engine->ctx, status, "%s", detail);
    if (status == ADATOM_USAGE && variant) { /* nothing matched: the variant does not apply to so little work */
        if (what) snprintf(what, size, "%s", "");
        return ADATOM_OK;
    }
    return status;
}
