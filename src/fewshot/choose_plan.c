/* Which candidates a choice is among. Classifiers alone cost next to nothing; what adapts the network is tried at as
 * many rates and numbers of steps, and by as many folds, as the budget of multiply-adds allows. */
#include "fewshot/choose.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { RATES = 3, HEAD_BATCH = 64, NETWORK_BATCH = 16 };

/* The rate of a cosine classifier where the network adapts: it has to follow the features within a few steps. */
static const float following_rate = 0.03f;
static const float sgd_rates[RATES] = {0.01f, 0.003f, 0.03f};

/* The kinds, the simpler first. Rates are Adam's; they hold for all that a kind adapts. The first was the best over two
 * data sets, one near to and one far from what the network was trained on, and the others on one of them
 * (docs/accuracy.md); of dora, bora and tsa they are guesses. Of sgd_rates a kind has as many. */
static const struct {
    adatom_adapt_kind kind;
    int passes; /* through the network in a step, backward ones included; 0: features are enough */
    float rates[RATES];
} kinds[] = {
    {ADATOM_ADAPT_CENTROID, 0, {0}},
    {ADATOM_ADAPT_COSINE, 0, {0.03f, 0.01f}},
    {ADATOM_ADAPT_HEAD, 0, {3e-4f, 1e-3f}},
    {ADATOM_ADAPT_ATOMS, 2, {0.003f, 0.001f, 0.01f}},
    {ADATOM_ADAPT_NORM, 2, {0.003f, 0.001f, 0.01f}},
    {ADATOM_ADAPT_ATOMS_NORM, 2, {0.003f, 0.001f, 0.01f}},
    {ADATOM_ADAPT_LORA, 3, {0.003f, 0.01f, 0.001f}},
    {ADATOM_ADAPT_DORA, 3, {0.003f, 0.01f, 0.001f}},
    {ADATOM_ADAPT_BORA, 3, {0.003f, 0.01f, 0.001f}},
    {ADATOM_ADAPT_TSA, 3, {3e-4f, 1e-3f, 1e-4f}},
    {ADATOM_ADAPT_FULL, 3, {1e-4f, 3e-4f, 1e-3f}},
    {ADATOM_ADAPT_LOGISTIC, 0, {0}},
    {ADATOM_ADAPT_LDA, 0, {0}},
    {ADATOM_ADAPT_KNN, 0, {0}},
    {ADATOM_ADAPT_BD_CSPN, 0, {0}},
    {ADATOM_ADAPT_SIMPLESHOT, 0, {0}},
};
#define KIND_COUNTED(value, text) +1
_Static_assert(AD_COUNT(kinds) + 1 == 0 ADATOM_ADAPT_LIST(KIND_COUNTED), "a method of adatom/choice.h has no row");
#undef KIND_COUNTED

static const adatom_adapt_kind usual[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_COSINE, ADATOM_ADAPT_ATOMS,
                                          ADATOM_ADAPT_ATOMS_NORM, ADATOM_ADAPT_NORM};
static const adatom_adapt_kind usual_linear[] = {ADATOM_ADAPT_CENTROID, ADATOM_ADAPT_HEAD, ADATOM_ADAPT_ATOMS,
                                                 ADATOM_ADAPT_ATOMS_NORM, ADATOM_ADAPT_NORM};
_Static_assert(AD_COUNT(usual) == AD_COUNT(usual_linear), "one list in place of the other");
static const int head_steps[AD_CHOOSE_STEPS] = {20, 50, 100};

/* From the most thorough search down. */
static const struct level {
    int folds, rates, step_count, steps[AD_CHOOSE_STEPS];
} levels[] = {{5, 3, 3, {16, 32, 64}}, {5, 2, 2, {16, 32}}, {4, 1, 2, {16, 32}}, {3, 1, 1, {16}}};

static int rank_of(adatom_adapt_kind kind) {
    int rank = 0;
    while (rank < (int)AD_COUNT(kinds) && kinds[rank].kind != kind) rank++;
    return rank;
}

static const adatom_adapt_kind *list_kinds(const ad_choose_scope *s, size_t *count) {
    *count = s->kind_count ? s->kind_count : AD_COUNT(usual);
    return s->kind_count ? s->kinds : s->method.head == ADATOM_HEAD_LINEAR ? usual_linear : usual;
}

/* ---- what costs how much ---- */

static int folds_at(const ad_choose_scope *s, const struct level *level) {
    return (int)AD_MIN((size_t)(s->fit->folds ? s->fit->folds : level->folds), s->asked);
}

static bool takes_steps(adatom_adapt_kind kind) { return kind != ADATOM_ADAPT_CENTROID; }

/* Numbers of steps of a kind at a level; those that are given hold alone. */
static int list_steps(const ad_choose_scope *s, int rank, const struct level *level, int steps[AD_CHOOSE_STEPS]) {
    const bool dear = kinds[rank].passes > 0;
    const int count = dear ? level->step_count : AD_CHOOSE_STEPS;
    if (!takes_steps(kinds[rank].kind) || s->method.steps) {
        steps[0] = takes_steps(kinds[rank].kind) ? s->method.steps : 0;
        return 1;
    }
    memcpy(steps, dear ? level->steps : head_steps, sizeof level->steps);
    return count;
}

/* The rates of a kind that nobody has given become `rate`; false: there are none. */
static bool set_rate(adatom_method *m, adatom_adapt_kind kind, float rate) {
    float *const rates[] = {&m->lr_atoms, &m->lr_norm, &m->lr_full, &m->lr_adapter, &m->lr};
    bool any = false;
    for (size_t r = 0; r < AD_COUNT(rates); r++) {
        if (!(ad_choose_rates(kind) >> r & 1) || *rates[r] != 0.0f) continue;
        *rates[r] = rate;
        any = true;
    }
    return any;
}

static int count_rates(const ad_choose_scope *s, int rank, const struct level *level) {
    adatom_method m = s->method;
    int count = 0;
    if (kinds[rank].kind == ADATOM_ADAPT_CENTROID) return s->method.distance ? 1 : 2; /* both distances */
    if (!set_rate(&m, kinds[rank].kind, 1)) return 1;
    while (count < RATES && kinds[rank].rates[count] > 0) count++;
    return kinds[rank].passes ? AD_MIN(count, level->rates) : count;
}

static int batch_of(const ad_choose_scope *s, int rank) {
    return s->fit->batch ? s->fit->batch : kinds[rank].passes ? NETWORK_BATCH : HEAD_BATCH;
}

int ad_choose_batch(int batch, double images, int out, double away) {
    enum { LEAST = 8 };
    const double learns = images - away, part = ceil(fmin(batch, images) * learns / images);
    const double wanted = out < 2 ? batch : fmax(part, AD_MIN(batch, LEAST));
    return (int)fmin(wanted, fmax(floor(learns), 1));
}

/* Multiply-adds of `tasks` tasks that leave out so many of the folds, for so many steps with so many read-outs. */
static double task_work(const ad_choose_scope *s, int rank, int tasks, int out, int folds, int steps, int readouts) {
    if (folds == 0) return 0; /* nothing can be left out: there is no search */
    const double away = (double)s->asked * out / folds;
    const double batch = ad_choose_batch(batch_of(s, rank), (double)s->images, out, away);
    return tasks * s->picture_work * (kinds[rank].passes * batch * steps + away * readouts);
}

/* The whole search of a kind at a level. */
static double kind_work(const ad_choose_scope *s, int rank, const struct level *level) {
    int steps[AD_CHOOSE_STEPS];
    const int folds = folds_at(s, level), count = list_steps(s, rank, level, steps);
    if (!kinds[rank].passes) return 0;
    return count_rates(s, rank, level) * task_work(s, rank, ad_choose_pairs(folds), 2, folds, steps[count - 1], count);
}

/* The outer split, where the dearest is chosen. */
static double outer_work(const ad_choose_scope *s, int rank, const struct level *level) {
    int steps[AD_CHOOSE_STEPS];
    const int folds = folds_at(s, level), count = list_steps(s, rank, level, steps);
    if (!kinds[rank].passes || !s->estimated) return 0;
    return task_work(s, rank, folds, 1, folds, steps[count - 1], 1);
}

/* ---- the plan ---- */

/* Why a kind cannot be tried; NULL: it can. */
static const char *impossible(const ad_choose_scope *s, adatom_adapt_kind kind) {
    if (s->features && kinds[rank_of(kind)].passes > 0) return "it adapts the network, and there are only its features";
    if (ad_episodes_only(kind)) return "it is for episodes: no adapter holds it";
    const bool needs_atoms = kind == ADATOM_ADAPT_ATOMS || kind == ADATOM_ADAPT_ATOMS_NORM;
    if (needs_atoms && !s->has_atoms)
        return "the model has no atoms; 'adatom decompose --mode residual' makes one whose atoms can be tried";
    if (kind == ADATOM_ADAPT_NORM && !s->has_norms) return "the model has no norms";
    if (kind == ADATOM_ADAPT_COSINE && s->method.head == ADATOM_HEAD_LINEAR) return "the classifier is to be linear";
    if (kind == ADATOM_ADAPT_HEAD && s->method.head == ADATOM_HEAD_COSINE)
        return "the classifier is to be a cosine one";
    return NULL;
}

/* Work of the first `count` kinds of the list at a level. */
static double list_work(const ad_choose_scope *s, size_t count, const struct level *level) {
    size_t listed;
    const adatom_adapt_kind *list = list_kinds(s, &listed);
    double sum = 0, outer = 0;
    for (size_t k = 0; k < count; k++) {
        if (impossible(s, list[k])) continue;
        sum += kind_work(s, rank_of(list[k]), level);
        outer = fmax(outer, outer_work(s, rank_of(list[k]), level));
    }
    return sum + outer;
}

/* The most thorough level whose work is within the budget; of the last one as many kinds as are. */
static const struct level *choose_level(const ad_choose_scope *s, double budget, size_t *count) {
    size_t listed;
    list_kinds(s, &listed);
    const struct level *level = levels;
    for (size_t l = 0; l < AD_COUNT(levels); l++) {
        level = &levels[l];
        *count = listed;
        if (list_work(s, listed, level) <= budget) return level;
    }
    while (*count > 0 && list_work(s, *count, level) > budget) --*count;
    return level;
}

static void add_candidate(adatom_choice *c, const adatom_method *method, int rank, int run, const char *why_not) {
    ad_choose_candidate *candidate = &c->candidates[c->info.candidates];
    *candidate = (ad_choose_candidate){.method = *method, .run = run, .why_not = why_not};
    if (why_not)
        snprintf(candidate->name, sizeof candidate->name, "%s", adatom_adapt_kind_name(method->adapt));
    else
        ad_choose_name(method, method->steps, candidate->name, sizeof candidate->name);
    c->rank[c->info.candidates++] = rank;
}

static void add_runs(const ad_choose_scope *s, const struct level *level, int rank, adatom_choice *c) {
    int steps[AD_CHOOSE_STEPS];
    const int count = list_steps(s, rank, level, steps);
    for (int r = 0; r < count_rates(s, rank, level); r++) {
        ad_choose_run *run = &c->runs[c->run_count];
        adatom_method method = s->method;
        method.adapt = kinds[rank].kind;
        const bool sgd = method.optimizer == ADATOM_OPTIMIZER_SGD;
        set_rate(&method, method.adapt, sgd ? sgd_rates[r] : kinds[rank].rates[r]);
        if (kinds[rank].passes && method.lr == 0.0f && !sgd && method.head != ADATOM_HEAD_LINEAR)
            method.lr = following_rate;
        if (method.adapt == ADATOM_ADAPT_CENTROID && r == 1) method.distance = ADATOM_DISTANCE_COSINE;
        *run = (ad_choose_run){.method = method,
                               .batch = batch_of(s, rank),
                               .backbone = kinds[rank].passes > 0,
                               .first = c->info.candidates,
                               .count = count,
                               .step_work = kinds[rank].passes * s->picture_work};
        for (int k = 0; k < count; k++) {
            method.steps = steps[k];
            add_candidate(c, &method, rank, c->run_count, NULL);
        }
        run->method.steps = steps[0];
        c->run_count++;
    }
}

static adatom_status check_kinds(adatom_context *ctx, const adatom_adapt_kind *list, size_t count) {
    for (size_t k = 0; k < count; k++) {
        if (rank_of(list[k]) == (int)AD_COUNT(kinds)) return ad_choice_refuse(ctx, "what is tried", (int)list[k]);
        for (size_t other = 0; other < k; other++)
            if (list[k] == list[other])
                return ad_fail(ctx, ADATOM_USAGE, "'%s' is to be tried twice", adatom_adapt_kind_name(list[k]));
    }
    return ADATOM_OK;
}

adatom_status ad_choose_plan(const ad_choose_scope *s, adatom_choice *c, int *folds) {
    enum { EACH = RATES * AD_CHOOSE_STEPS };
    size_t listed, count;
    const adatom_adapt_kind *list = list_kinds(s, &listed);
    adatom_status status = check_kinds(c->ctx, list, listed);
    if (status != ADATOM_OK) return status;
    c->runs = ad_calloc(c->ctx, listed * RATES, sizeof *c->runs);
    c->candidates = ad_calloc(c->ctx, listed * EACH, sizeof *c->candidates);
    c->rank = ad_calloc(c->ctx, listed * EACH, sizeof *c->rank);
    c->tried = ad_calloc(c->ctx, listed * EACH, sizeof *c->tried);
    if (!c->runs || !c->candidates || !c->rank || !c->tried) return ADATOM_OUT_OF_MEMORY;
    const struct level *level = choose_level(s, c->info.budget, &count);
    for (size_t k = 0; k < listed; k++) {
        const int rank = rank_of(list[k]);
        const char *why_not = impossible(s, list[k]);
        if (!why_not && k >= count && kinds[rank].passes)
            why_not = "it would take more multiply-adds than the budget allows";
        adatom_method method = s->method;
        method.adapt = list[k];
        if (why_not)
            add_candidate(c, &method, rank, -1, why_not);
        else
            add_runs(s, level, rank, c);
    }
    if (c->run_count == 0)
        return ad_fail(c->ctx, ADATOM_USAGE, "nothing can be tried: '%s': %s", adatom_adapt_kind_name(list[0]),
                       c->candidates[0].why_not);
    *folds = folds_at(s, level);
    return ADATOM_OK;
}
