/* Episodes whose classifier is solved on the host (heads/solver.h). */
#ifndef AD_FEWSHOT_SOLVE_EPISODES_H
#define AD_FEWSHOT_SOLVE_EPISODES_H

#include "fewshot/evaluation.h"

typedef struct ad_solve_run {
    const ad_solver_settings *settings;
    const adatom_episodes *episodes;
    const adatom_episodes_info *list;
    int first;
    int views;           /* of each support picture; 0: the picture itself */
    size_t pictures;     /* of the data set */
    const float *table;  /* [(1 + views)*pictures][features], by ad_view_number */
    const float *centre; /* ad_solver_task.centre */
    size_t features;
    float label_noise;
    int threads; /* 0: as many as there are processors */
} ad_solve_run;

/* Numbers that a task has of its own. */
uint64_t ad_solver_numbers(const ad_solver_settings *settings, int way, int features);
/* Fills the evaluation's accuracies and predictions; progress as of phase EPISODES. */
adatom_status ad_solve_episodes(adatom_context *ctx, const ad_solve_run *run, adatom_evaluation *out);
#endif
