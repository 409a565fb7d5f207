/* Episodes side by side, each by one thread: so the results do not depend on how many threads there are. */
#include "fewshot/solve_episodes.h"
#include "fewshot/episodes.h"
#include "fewshot/method.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

enum { TOGETHER = 64 }; /* episodes between two looks at whether to stop */

uint64_t ad_solver_numbers(const ad_solver_settings *s, int way, int features) {
    const uint64_t classes = (uint64_t)way, width = (uint64_t)features;
    switch (s->solver) {
    case AD_SOLVER_LOGISTIC:
    case AD_SOLVER_DISCRIMINANT: return classes * (width + 1);
    case AD_SOLVER_CENTRED:
    case AD_SOLVER_RECTIFIED: return classes * width;
    case AD_SOLVER_NEIGHBOURS:
    case AD_SOLVER_NONE: break;
    }
    return 0;
}

/* Keeps the classes of episode number `at` of the run, of these probabilities. */
static void judge(const adatom_episodes_info *list, const double *log_probabilities, int at, adatom_evaluation *out) {
    const int way = list->way, queries = way * list->query;
    int32_t *to = out->predictions + (size_t)at * (size_t)queries, right = 0;
    bool numbers = true;
    for (int q = 0; q < queries; q++) {
        const double *of = log_probabilities + (size_t)q * (size_t)way;
        int best = 0;
        for (int k = 0; k < way; k++) {
            numbers = numbers && !isnan(of[k]);
            if (of[k] > of[best]) best = k;
        }
        to[q] = best;
        right += best == q / list->query;
    }
    out->accuracy[at] = numbers ? (float)right / (float)queries : NAN;
    for (int q = 0; q < queries && !numbers; q++) to[q] = -1;
}

adatom_status ad_solve_episodes(adatom_context *ctx, const ad_solve_run *run, adatom_evaluation *out) {
    const adatom_episodes_info *list = run->list;
    const int views = AD_MAX(run->views, 1);
    ad_solver_task task = {.table = run->table,
                           .centre = run->centre,
                           .features = run->features,
                           .way = list->way,
                           .supports = list->way * list->shot * views,
                           .queries = list->way * list->query};
    const size_t answers = (size_t)task.queries * (size_t)task.way,
                 own = ad_solver_scratch(run->settings, &task) + answers,
                 threads = run->threads > 0 ? (size_t)run->threads : (size_t)omp_get_max_threads();
    adatom_status status = ADATOM_OK;
    double *scratch = ad_malloc(ctx, threads * own, sizeof *scratch);
    int32_t *labels = ad_malloc(ctx, (1 + threads) * (size_t)task.supports, sizeof *labels);
    if (!scratch || !labels) AD_TRY(ADATOM_OUT_OF_MEMORY);
    for (int i = 0; i < task.supports; i++) labels[i] = ad_support_label(list, i / views, run->label_noise);
    task.labels = labels;
    for (int at = 0; at < out->info.tasks; at += TOGETHER) {
        const int end = AD_MIN(at + TOGETHER, out->info.tasks);
        AD_TRY(ad_interrupted(ctx));
#pragma omp parallel for num_threads((int)threads) schedule(dynamic)
        for (int e = at; e < end; e++) {
            ad_solver_task one = task;
            double *mine = scratch + (size_t)omp_get_thread_num() * own;
            /* Cannot fail: the episode is of the list. */
            (void)adatom_episodes_get(run->episodes, run->first + e, &one.support, &one.query);
            int32_t *shown = labels + (size_t)(1 + omp_get_thread_num()) * (size_t)task.supports;
            for (int i = 0; i < task.supports && run->views; i++)
                shown[i] = ad_view_number(i % views + 1, one.support[i / views], run->pictures);
            if (run->views) one.support = shown;
            ad_solve(run->settings, &one, mine + answers, mine);
            judge(list, mine, e, out);
        }
        adatom_progress now = {
            .phase = ADATOM_PHASE_EPISODES, .done = (uint64_t)end, .total = (uint64_t)out->info.tasks};
        adatom_mean_interval(out->accuracy, NULL, (size_t)end, &now.mean, &now.ci95);
        ad_report_details(ctx, &now);
    }
    for (int e = 0; e < out->info.tasks; e++) out->info.diverged += isnan(out->accuracy[e]);
done:
    ad_free(scratch);
    ad_free(labels);
    return status;
}
