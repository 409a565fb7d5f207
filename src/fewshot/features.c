#include "fewshot/features.h"
#include "fewshot/method.h"

/* The largest batch that memory allows, and its plan. */
static adatom_status plan_batches(const ad_features_wanted *w, ad_session *s) {
    enum { LARGEST = 32 };
    *s = ad_session_of(w->device, w->model);
    ad_session_use_pictures(s, w->pixels, w->size);
    ad_build_params build = {.net = &w->model->net,
                             .query_rounds = 1,
                             .head = AD_HEAD_NONE,
                             .costs = w->device->engine->costs,
                             .chains = w->device->engine->chains,
                             .data_size = w->size,
                             .mirror = w->mirror};
    if (w->view) ad_views_apply(w->seed, w->model, &build);
    s->first_draw = ad_view_number(w->view, 0, w->all);
    const ad_parts_wanted parts = {.units = (int)AD_MIN(w->count, (size_t)LARGEST),
                                   .rows_per_unit = 1,
                                   .allowed_bytes = ad_memory_allowed(w->device->engine, w->memory_bytes),
                                   .limited = w->memory_bytes != 0,
                                   .what = "the features of one picture need",
                                   .so = ""};
    return ad_session_plan_parts(s, &build, &parts);
}

adatom_status ad_features_plan(const ad_features_wanted *wanted) {
    ad_session s;
    adatom_status status = plan_batches(wanted, &s);
    ad_session_clear(&s);
    return status;
}

adatom_status ad_features_begin(const ad_features_wanted *wanted, ad_session *session) {
    adatom_status status;
    AD_TRY(plan_batches(wanted, session));
    AD_TRY(ad_session_begin(session, NULL, 0));
    AD_TRY(ad_session_start(session));
done:
    return status;
}

adatom_status ad_features_compute(const ad_features_wanted *wanted, ad_take_features take, void *user) {
    ad_session s;
    adatom_status status;
    AD_TRY(ad_features_begin(wanted, &s));
    AD_TRY(ad_session_pass(&s, wanted->images, wanted->count, take, user));
done:
    ad_session_clear(&s);
    return status;
}
