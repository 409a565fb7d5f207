/* The pages of commands that run episodes. */
#ifndef CLI_PAGE_EPISODES_H
#define CLI_PAGE_EPISODES_H

#include "page.h"
#include <adatom/adapt.h>

/* Answers to queries as classes of the data set, of the episodes from `first` on. The caller clears *out in any case.
 */
adatom_status page_collect(struct cli *cli, const adatom_dataset *dataset, const adatom_episodes *list, int first,
                           const adatom_evaluation_info *evaluation, answers *out);

/* The answers of the best result so far. */
typedef struct best_answers {
    answers all;
    double mean;
    int row; /* its number among the results; -1: there is none */
} best_answers;
/* Keeps the evaluation's answers, result number `row`, where it is better than what there was. */
adatom_status page_keep_best(struct cli *cli, const adatom_dataset *dataset, const adatom_episodes *list, int first,
                             const adatom_evaluation_info *evaluation, int row, best_answers *best);

/* The classes and wrong pictures of the best result, which is named. several: of more than one. */
adatom_status page_best(page *p, const adatom_dataset *dataset, const best_answers *best, const char *name,
                        bool several);

/* axis: what results are drawn against, or NULL. */
adatom_status page_episodes(struct cli *cli, const char *path, json_t *document, const char *axis,
                            const adatom_dataset *dataset, const best_answers *best, const page_call *call);
#endif
