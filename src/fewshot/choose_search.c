/* Choosing how to adapt: the tasks that try the candidates, the estimate, the adapter of what is chosen. */
#include "fewshot/choose.h"
#include "io/dataset.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define WORK_UNIT 1e6 /* multiply-adds of a unit of progress */

typedef struct search {
    adatom_device *device;
    adatom_context *ctx;
    const adatom_model *model;
    const adatom_dataset *dataset;
    adatom_fit_params fit;
    ad_choose_scope scope;
    adatom_choice *choice;
    double started;
    size_t done, total; /* progress, in units of work */
    /* The estimate: what each fold's choice answers. */
    ad_adapter_fit_checkpoint estimate;
    int *counts;   /* holds its tested and right */
    float *scores; /* holds its scores and familiarity, which are those of what is chosen, in every fold */
} search;

/* ---- what is asked for ---- */

static adatom_status check_params(search *s, const adatom_choose_params *p) {
    const adatom_fit_params *fit = &s->fit;
    const adatom_method *m = &s->scope.method;
    if (!(p->budget >= 0 && p->budget <= 1e30))
        return ad_fail(s->ctx, ADATOM_USAGE, "a budget of %g multiply-adds makes no sense", p->budget);
    if (p->kind_count && !p->kinds) return ad_fail(s->ctx, ADATOM_USAGE, "what is tried is missing");
    if (m->adapt)
        return ad_fail(s->ctx, ADATOM_USAGE, "'%s' is named, so that there is nothing to choose",
                       adatom_adapt_kind_name(m->adapt));
    if (m->bn != ADATOM_BN_FROZEN)
        return ad_fail(s->ctx, ADATOM_USAGE,
                       "a choice leaves pictures out and takes mini-batches, so that batch norm keeps its frozen "
                       "statistics; name a method for others");
    if (fit->early_stop)
        return ad_fail(s->ctx, ADATOM_USAGE,
                       "a choice tries numbers of steps by itself; leave the early stop out, or name a method");
    if (fit->estimate != ADATOM_ESTIMATE_DEFAULT && fit->estimate != ADATOM_ESTIMATE_FOLDS &&
        fit->estimate != ADATOM_ESTIMATE_NONE)
        return ad_fail(s->ctx, ADATOM_USAGE, "the accuracy of a choice is estimated by folds or not at all, not by %s",
                       adatom_estimate_name(fit->estimate));
    if (fit->folds && fit->folds < AD_CHOOSE_LEAST_FOLDS)
        return ad_fail(s->ctx, ADATOM_USAGE, "a choice needs %d or more folds, not %d", AD_CHOOSE_LEAST_FOLDS,
                       fit->folds);
    if (fit->folds > AD_CHOOSE_MOST_FOLDS)
        return ad_fail(s->ctx, ADATOM_USAGE, "a choice tries every pair of folds: %d are too many, at most %d",
                       fit->folds, AD_CHOOSE_MOST_FOLDS);
    return ADATOM_OK;
}

/* Pictures that can be left out two folds at a time, while one of their class stays. */
static size_t count_asked(const adatom_dataset *dataset, int classes) {
    size_t asked = 0;
    for (int k = 0; k < classes; k++) {
        const char *name;
        size_t first, count;
        adatom_dataset_class(dataset, k, &name, &first, &count);
        asked += count > 2 ? count : count - 1;
    }
    return asked;
}

static void look_at(search *s, const adatom_choose_params *p, const adatom_dataset_info *info) {
    adatom_model_info m = ADATOM_INIT(adatom_model_info);
    adatom_model_describe(s->model, &m);
    s->scope.fit = &s->fit;
    s->scope.kinds = p->kinds;
    s->scope.kind_count = p->kind_count;
    s->scope.picture_work = (double)m.macs;
    s->scope.has_atoms = m.atoms_parameters > 0;
    s->scope.has_norms = m.norm_parameters > 0;
    s->scope.features = info->features > 0;
    s->scope.images = info->images;
    s->scope.asked = count_asked(s->dataset, info->classes);
    s->scope.estimated = s->fit.estimate != ADATOM_ESTIMATE_NONE;
    s->choice->images = (int)info->images;
    s->choice->info.budget = p->budget > 0 ? p->budget : 2.5e12;
    s->choice->info.chosen = s->choice->info.best = s->choice->info.rival = -1;
}

static adatom_status allocate(search *s, int classes) {
    adatom_choice *c = s->choice;
    const size_t images = (size_t)c->images, folds = (size_t)c->info.folds;
    c->right = ad_calloc(s->ctx, (size_t)c->info.candidates * folds * images, sizeof *c->right);
    c->by_fold = ad_calloc(s->ctx, folds, sizeof *c->by_fold);
    s->counts = ad_calloc(s->ctx, 2 * (size_t)classes, sizeof *s->counts);
    s->estimate.answers = ad_calloc(s->ctx, images, sizeof *s->estimate.answers);
    s->estimate.taken = s->scope.estimated ? ad_malloc(s->ctx, images, sizeof *s->estimate.taken) : NULL;
    if (!c->right || !c->by_fold || !s->counts || !s->estimate.answers || (s->scope.estimated && !s->estimate.taken))
        return ADATOM_OUT_OF_MEMORY;
    for (size_t i = 0; i < images && s->estimate.taken; i++) s->estimate.taken[i] = ADATOM_ANSWER_NOT_ASKED;
    for (size_t a = 0; a < folds; a++) c->by_fold[a] = -1;
    s->estimate.tested = s->counts;
    s->estimate.right = s->counts + classes;
    if (!s->scope.estimated) return ADATOM_OK;
    return ad_adapter_fit_allocate_scores(s->ctx, images, classes, &s->estimate, 1, &s->scores);
}

/* Deals the pictures into the folds that the plan asks for; there may be fewer where there are few pictures. */
static adatom_status deal(search *s, int folds) {
    adatom_choice *c = s->choice;
    adatom_fit_params p = s->fit;
    c->fold = ad_malloc(s->ctx, (size_t)c->images, sizeof *c->fold);
    if (!c->fold) return ADATOM_OUT_OF_MEMORY;
    p.estimate = ADATOM_ESTIMATE_FOLDS;
    p.folds = AD_MAX(folds, 2);
    p.holdout = 0.2f; /* of no use here, and checked */
    adatom_status status = ad_choose_folds(s->ctx, s->dataset, &p, s->scope.method.seed, 2, c->fold, &c->info.folds);
    for (int i = 0; i < c->images; i++) c->info.tested += c->fold[i] != AD_FOLD_NONE;
    return status;
}

/* ---- tasks ---- */

/* Pictures that a task does without, of `out` folds; more or less one. */
static double pictures_of(const search *s, int out) {
    return (double)s->choice->info.tested * out / s->choice->info.folds;
}

/* The fit of a method by the search's pictures, whose tasks leave out so many of the folds that are dealt. tasks 0: it
 * only makes an adapter. */
static adatom_status open_fit(search *s, const adatom_method *method, const ad_choose_run *run, int out, int tasks,
                              const int32_t (*leaves)[2], ad_adapter_fit *f) {
    adatom_fit_params p = s->fit;
    adatom_status status;
    p.method = method;
    p.batch = tasks ? ad_choose_batch(run->batch, s->choice->images, out, pictures_of(s, out)) : run->batch;
    p.estimate = tasks ? ADATOM_ESTIMATE_FOLDS : ADATOM_ESTIMATE_NONE;
    p.early_stop = false;
    if (!run->backbone) p.augment = ADATOM_AUGMENT_NONE;
    AD_TRY(ad_adapter_fit_open(f, s->device, s->model, s->dataset, &p));
    memcpy(f->fold, s->choice->fold, (size_t)f->images * sizeof *f->fold);
    f->folds = tasks;
    f->leaves = leaves;
    AD_TRY(ad_adapter_fit_settle(f));
    f->session.progress.phase = ADATOM_PHASE_CHOOSING;
    f->session.progress.done = s->done;
    f->session.progress.total = s->total;
done:
    return status;
}

/* Multiply-adds of a fit that was opened: of one task, with its read-outs. */
static double fit_work(const search *s, const ad_choose_run *run, const ad_adapter_fit *f, int out) {
    if (!run->backbone) return 0;
    return run->step_work * f->p.batch * f->settings.steps +
           s->scope.picture_work * pictures_of(s, out) * f->checkpoint_count;
}

/* Runs the tasks of a fit, and tells what it is about meanwhile. */
static adatom_status ask(search *s, const ad_choose_run *run, ad_adapter_fit *f, int out, const char *what) {
    const double work = fit_work(s, run, f, out);
    f->weight = (size_t)(work / WORK_UNIT) + 1;
    f->session.progress.what = what;
    ad_session_tell(&f->session, 0);
    const adatom_status status = ad_adapter_fit_ask(f);
    f->session.progress.what = NULL;
    s->done = f->session.progress.done;
    if (status == ADATOM_OK) s->choice->info.work += work * f->folds;
    return status;
}

/* Tasks that leave two folds out each, into leaves[folds*(folds-1)/2]. */
static void list_pairs(int folds, int32_t (*leaves)[2]) {
    int count = 0;
    for (int a = 0; a < folds; a++)
        for (int b = a + 1; b < folds; b++) {
            leaves[count][0] = a;
            leaves[count++][1] = b;
        }
}

/* answers[tasks][images] of a candidate, to where choices look for them. */
static void keep_answers(adatom_choice *c, int candidate, int tasks, const int32_t (*leaves)[2],
                         const int8_t *answers) {
    const size_t images = (size_t)c->images, folds = (size_t)c->info.folds;
    int8_t *right = c->right + (size_t)candidate * folds * images;
    for (int t = 0; t < tasks; t++)
        for (size_t i = 0; i < images; i++)
            for (int k = 0; k < 2; k++)
                if (c->fold[i] == leaves[t][k])
                    right[(size_t)leaves[t][1 - k] * images + i] = answers[(size_t)t * images + i];
}

static void log_candidate(const search *s, int candidate) {
    int answers;
    const ad_choose_table table = ad_choose_table_of(s->choice);
    const int right = ad_choose_right(&table, candidate, AD_CHOOSE_BY_ALL, &answers);
    const ad_choose_candidate *c = &s->choice->candidates[candidate];
    ad_log(s->ctx, ADATOM_LOG_INFO, "%s: %.1f %%%s", c->name, 100.0 * right / answers,
           c->diverged ? ", some of its tasks diverged" : "");
}

/* Tries a kind at one rate: all its numbers of steps are read out of one run. */
static adatom_status try_run(search *s, int number, int pairs, const int32_t (*leaves)[2], int8_t *answers) {
    adatom_choice *c = s->choice;
    const ad_choose_run *run = &c->runs[number];
    const size_t stride = (size_t)pairs * (size_t)c->images;
    const double before = ad_seconds();
    ad_adapter_fit f = {0};
    char name[128];
    adatom_status status;
    ad_choose_name(&run->method, 0, name, sizeof name);
    AD_TRY(open_fit(s, &c->candidates[run->first + run->count - 1].method, run, 2, pairs, leaves, &f));
    f.checkpoint_count = run->count;
    for (int k = 0; k < run->count; k++) {
        f.checkpoints[k].steps = c->candidates[run->first + k].method.steps;
        f.checkpoints[k].answers = answers + (size_t)k * stride;
    }
    AD_TRY(ask(s, run, &f, 2, name));
    for (int k = 0; k < run->count; k++) {
        const int candidate = run->first + k;
        keep_answers(c, candidate, pairs, leaves, f.checkpoints[k].answers);
        c->candidates[candidate].diverged = f.checkpoints[k].lost_tasks;
        c->candidates[candidate].seconds = ad_seconds() - before;
        c->tried[candidate] = true;
        log_candidate(s, candidate);
    }
done:
    ad_adapter_fit_close(&f);
    return status;
}

static adatom_status try_all(search *s) {
    adatom_choice *c = s->choice;
    const int pairs = ad_choose_pairs(c->info.folds);
    adatom_status status = ADATOM_OK;
    bool any = false;
    int32_t(*leaves)[2] = ad_malloc(s->ctx, (size_t)pairs, sizeof *leaves);
    int8_t *answers = ad_malloc(s->ctx, AD_CHOOSE_STEPS * (size_t)pairs * (size_t)c->images, sizeof *answers);
    if (!leaves || !answers) AD_TRY(ADATOM_OUT_OF_MEMORY);
    list_pairs(c->info.folds, leaves);
    for (int r = 0; r < c->run_count; r++) AD_TRY(try_run(s, r, pairs, (const int32_t(*)[2])leaves, answers));
    for (int k = 0; k < c->info.candidates; k++) any |= c->tried[k] && c->candidates[k].diverged < pairs;
    if (!any)
        status = ad_fail(s->ctx, ADATOM_FAILED,
                         "adapting diverged in all tasks of all candidates (what adapted or a class score is not "
                         "finite, or all scores are the same); lower the learning rates");
done:
    ad_free(leaves);
    ad_free(answers);
    return status;
}

/* ---- the choice and its estimate ---- */

static void choose(search *s) {
    adatom_choice *c = s->choice;
    adatom_choice_info *info = &c->info;
    const ad_choose_table table = ad_choose_table_of(c);
    int most = -1, answers;
    info->chosen = ad_choose_best(&table, AD_CHOOSE_BY_ALL);
    info->best = ad_choose_most(&table, -1, AD_CHOOSE_BY_ALL);
    for (int a = 0; a < info->folds && s->scope.estimated; a++) {
        c->by_fold[a] = ad_choose_best(&table, a);
        c->candidates[c->by_fold[a]].folds_chosen++;
    }
    for (int k = 0; k < info->candidates; k++) {
        if (!c->tried[k] || c->rank[k] == c->rank[info->chosen]) continue;
        const int right = ad_choose_right(&table, k, AD_CHOOSE_BY_ALL, &answers);
        if (right <= most) continue;
        most = right;
        info->rival = k;
    }
    if (info->rival >= 0)
        info->ahead = ad_choose_ahead(&table, info->chosen, info->rival, AD_CHOOSE_BY_ALL, &info->ahead_error);
}

static void keep_scores(search *s, ad_adapter_fit *f) {
    f->checkpoints[0].scores = s->estimate.scores;
    f->checkpoints[0].familiarity = s->estimate.familiarity;
}

/* Scores of the folds whose own choice is another one. */
static adatom_status score_others(search *s, int32_t (*leaves)[2]) {
    adatom_choice *c = s->choice;
    const ad_choose_candidate *chosen = &c->candidates[c->info.chosen];
    const ad_choose_run *run = &c->runs[chosen->run];
    ad_adapter_fit f = {0};
    adatom_status status = ADATOM_OK;
    int tasks = 0;
    for (int a = 0; a < c->info.folds; a++)
        if (c->by_fold[a] != c->info.chosen) {
            leaves[tasks][0] = a;
            leaves[tasks++][1] = AD_FOLD_NONE;
        }
    if (tasks == 0 || !s->scores) return ADATOM_OK;
    AD_TRY(open_fit(s, &chosen->method, run, 1, tasks, (const int32_t(*)[2])leaves, &f));
    keep_scores(s, &f);
    s->total += (size_t)(fit_work(s, run, &f, 1) * tasks / WORK_UNIT);
    f.session.progress.total = s->total;
    AD_TRY(ask(s, run, &f, 1, "the calibration"));
done:
    ad_adapter_fit_close(&f);
    return status;
}

/* What a candidate answers about the folds whose choice it is, adapted to all others. */
static adatom_status estimate_candidate(search *s, int candidate, int32_t (*leaves)[2], int8_t *answers) {
    adatom_choice *c = s->choice;
    const ad_choose_run *run = &c->runs[c->candidates[candidate].run];
    ad_adapter_fit f = {0};
    adatom_status status = ADATOM_OK;
    int tasks = 0;
    for (int a = 0; a < c->info.folds; a++)
        if (c->by_fold[a] == candidate) {
            leaves[tasks][0] = a;
            leaves[tasks++][1] = AD_FOLD_NONE;
        }
    if (tasks == 0) return ADATOM_OK;
    AD_TRY(open_fit(s, &c->candidates[candidate].method, run, 1, tasks, (const int32_t(*)[2])leaves, &f));
    if (candidate == c->info.chosen) keep_scores(s, &f);
    f.checkpoints[0].answers = answers;
    f.checkpoints[0].taken = s->estimate.taken; /* candidates are asked about different pictures */
    AD_TRY(ask(s, run, &f, 1, "the estimate"));
    for (int t = 0; t < tasks; t++)
        for (int i = 0; i < c->images; i++) {
            if (c->fold[i] != leaves[t][0]) continue;
            const bool right = answers[(size_t)t * (size_t)c->images + (size_t)i] == 1;
            s->estimate.tested[f.labels[i]]++;
            s->estimate.right[f.labels[i]] += right;
            s->estimate.all_tested++;
            s->estimate.all_right += right;
        }
    if (f.checkpoints[0].lost_tasks)
        ad_log(s->ctx, ADATOM_LOG_WARNING,
               "what was chosen diverged in %d of the %d parts of the estimate, whose pictures count as wrong",
               f.checkpoints[0].lost_tasks, c->info.folds);
done:
    ad_adapter_fit_close(&f);
    return status;
}

static adatom_status make_estimate(search *s) {
    adatom_choice *c = s->choice;
    adatom_choice_info *info = &c->info;
    adatom_status status = ADATOM_OK;
    int32_t(*leaves)[2] = ad_malloc(s->ctx, (size_t)info->folds, sizeof *leaves);
    int8_t *answers = ad_malloc(s->ctx, (size_t)info->folds * (size_t)c->images, sizeof *answers);
    if (!leaves || !answers) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (int k = 0; k < info->candidates; k++) AD_TRY(estimate_candidate(s, k, leaves, answers));
    AD_TRY(score_others(s, leaves));
    info->estimated = s->estimate.all_tested;
    info->right = s->estimate.all_right;
    info->accuracy = info->estimated ? (double)info->right / info->estimated : 0;
    adatom_wilson_interval((uint64_t)info->right, (uint64_t)info->estimated, &info->low, &info->high);
done:
    ad_free(leaves);
    ad_free(answers);
    return status;
}

/* ---- the adapter ---- */

static adatom_status make_adapter(search *s, adatom_adapter **out) {
    adatom_choice *c = s->choice;
    const ad_choose_candidate *chosen = &c->candidates[c->info.chosen];
    ad_adapter_fit f = {0};
    adatom_status status;
    AD_TRY(open_fit(s, &chosen->method, &c->runs[chosen->run], 0, 0, NULL, &f));
    s->estimate.steps = chosen->method.steps;
    f.p.estimate = s->scope.estimated ? ADATOM_ESTIMATE_FOLDS : ADATOM_ESTIMATE_NONE;
    f.folds = c->info.folds;
    f.weight = s->total - s->done;
    f.session.progress.what = "the adapter";
    ad_session_tell(&f.session, 0);
    f.choice = ad_choose_json(c, s->scope.method.seed);
    if (!f.choice) AD_TRY(ad_fail(s->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration"));
    AD_TRY(ad_adapter_fit_make(&f, &s->estimate, out));
done:
    json_decref(f.choice);
    ad_adapter_fit_close(&f);
    return status;
}

/* Where nothing can be left out there is nothing to go by: the simplest kind, with its own defaults and estimate. */
static adatom_status make_simplest(search *s, adatom_adapter **out) {
    adatom_choice *c = s->choice;
    ad_adapter_fit f = {0};
    adatom_method method = s->scope.method;
    adatom_fit_params p = s->fit;
    adatom_status status;
    for (int k = 0; k < c->info.candidates; k++) {
        if (c->candidates[k].run < 0) continue;
        c->candidates[k].why_not = c->reason;
        if (c->info.chosen < 0 || c->rank[k] < c->rank[c->info.chosen]) c->info.chosen = k;
    }
    ad_choose_candidate *simplest = &c->candidates[c->info.chosen];
    method.adapt = simplest->method.adapt;
    ad_print(c->reason, sizeof c->reason,
             "only %d of the pictures can be left out while two others of their class stay; a choice needs %d. "
             "'%s' is the simplest of what was to be tried",
             c->info.tested, AD_CHOOSE_LEAST_FOLDS, adatom_adapt_kind_name(method.adapt));
    c->info.reason = c->reason;
    c->info.folds = 0;
    simplest->method = method;
    ad_choose_name(&method, method.steps, simplest->name, sizeof simplest->name);
    ad_log(s->ctx, ADATOM_LOG_WARNING, "%s", c->reason);
    p.method = &method;
    p.folds = 0;
    p.augment = ADATOM_AUGMENT_NONE;
    if (s->scope.estimated) p.estimate = ADATOM_ESTIMATE_DEFAULT;
    AD_TRY(ad_adapter_fit_open(&f, s->device, s->model, s->dataset, &p));
    f.choice = ad_choose_json(c, method.seed);
    if (!f.choice) AD_TRY(ad_fail(s->ctx, ADATOM_OUT_OF_MEMORY, "out of memory for the adapter's configuration"));
    AD_TRY(ad_adapter_fit_whole(&f, out));
    adatom_adapter_info a = ADATOM_INIT(adatom_adapter_info);
    adatom_adapter_describe(*out, &a);
    c->info.estimated = a.tested;
    c->info.right = a.right;
    c->info.accuracy = a.accuracy;
    c->info.low = a.low;
    c->info.high = a.high;
done:
    json_decref(f.choice);
    ad_adapter_fit_close(&f);
    return status;
}

/* The units of progress that the search will have told in the end, if the estimate is of the dearest. */
static size_t total_work(const search *s) {
    const adatom_choice *c = s->choice;
    const double folds = c->info.folds, pairs = ad_choose_pairs(c->info.folds), images = c->images,
                 one = pictures_of(s, 1);
    double sum = pairs * c->run_count + folds + 1, dearest = 0;
    for (int r = 0; r < c->run_count; r++) {
        const ad_choose_run *run = &c->runs[r];
        const double work = run->step_work * c->candidates[run->first + run->count - 1].method.steps / WORK_UNIT;
        const double read = run->backbone ? s->scope.picture_work * 2 * one * run->count / WORK_UNIT : 0;
        sum += pairs * (work * ad_choose_batch(run->batch, images, 2, 2 * one) + read);
        dearest =
            fmax(dearest, work * (folds * ad_choose_batch(run->batch, images, 1, one) + fmin(run->batch, images)));
    }
    return (size_t)(sum + dearest) + 1;
}

static adatom_status search_and_fit(search *s, int classes, adatom_adapter **out) {
    adatom_choice_info *info = &s->choice->info;
    adatom_status status;
    int folds;
    AD_TRY(ad_choose_plan(&s->scope, s->choice, &folds));
    AD_TRY(deal(s, folds));
    if (info->folds < AD_CHOOSE_LEAST_FOLDS) return make_simplest(s, out);
    AD_TRY(allocate(s, classes));
    s->total = total_work(s);
    AD_TRY(try_all(s));
    choose(s);
    if (s->scope.estimated) AD_TRY(make_estimate(s));
    info->seconds = ad_seconds() - s->started;
    AD_TRY(make_adapter(s, out));
done:
    if (info->seconds == 0) info->seconds = ad_seconds() - s->started;
    return status;
}

adatom_status adatom_adapter_choose(adatom_device *device, const adatom_model *model, const adatom_dataset *dataset,
                                    const adatom_choose_params *params, adatom_choice **choice,
                                    adatom_adapter **adapter) {
    search s = {.device = device, .ctx = device->ctx, .dataset = dataset, .started = ad_seconds()};
    ad_run_model run = {0};
    adatom_choose_params p = {0};
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    *choice = NULL;
    *adapter = NULL;
    adatom_status status = AD_PARAMS(s.ctx, adatom_choose_params, params, &p);
    if (status == ADATOM_OK) status = AD_PARAMS(s.ctx, adatom_fit_params, p.fit, &s.fit);
    if (status == ADATOM_OK) status = AD_PARAMS(s.ctx, adatom_method, s.fit.method, &s.scope.method);
    const ad_call outer = ad_call_begin(s.ctx, s.fit.progress, s.fit.user);
    AD_TRY(status);
    AD_TRY(check_params(&s, &p));
    AD_TRY(ad_run_model_choose(s.ctx, model, dataset, &run));
    s.model = run.model;
    adatom_dataset_describe(dataset, &info);
    if (info.features && (s.fit.augment & ~(uint32_t)ADATOM_AUGMENT_NONE))
        AD_TRY(ad_fail(s.ctx, ADATOM_USAGE, "'%s' holds features of pictures; leave the augmentation out", info.name));
    s.choice = ad_calloc(s.ctx, 1, sizeof *s.choice);
    if (!s.choice) AD_TRY(ADATOM_OUT_OF_MEMORY);
    s.choice->ctx = s.ctx;
    look_at(&s, &p, &info);
    AD_TRY(search_and_fit(&s, info.classes, adapter));
done:
    ad_run_model_clear(&run);
    ad_free(s.counts);
    ad_free(s.estimate.answers);
    ad_free(s.estimate.taken);
    ad_free(s.scores);
    if (status == ADATOM_OK || (status == ADATOM_INTERRUPTED && s.choice && s.choice->right))
        *choice = s.choice;
    else
        adatom_choice_destroy(&s.choice);
    return ad_call_end(s.ctx, &outer, status);
}
