/* Choosing among ways to adapt. The parts: which candidates there are and what they cost (choose_plan.c), whom the
 * answers speak for (choose_rule.c), the tasks that give the answers (choose_search.c), what is told of it
 * (choose_record.c).
 *
 * The pictures are dealt into folds. A task of the search leaves two folds out and is asked about both. Of its answers
 * those about one fold serve the choice that is made without the other: so there is a choice for each fold which knows
 * nothing of it, and what that choice answers about the fold, adapted to all others, is the estimate. The last choice
 * is made by all answers. */
#ifndef AD_FEWSHOT_CHOOSE_H
#define AD_FEWSHOT_CHOOSE_H

#include "fewshot/adapter_fit.h"
#include <adatom/choose.h>

enum { AD_CHOOSE_STEPS = 3, AD_CHOOSE_LEAST_FOLDS = 3, AD_CHOOSE_MOST_FOLDS = 1000 /* half a million tasks */ };

/* What the tasks of the search answered. */
typedef struct ad_choose_table {
    int candidates, folds, images;
    const int32_t *fold; /* [images]; AD_FOLD_NONE: it is in every support set */
    const int *rank;     /* [candidates]: of a simpler kind it is less; the same for all of a kind */
    const bool *tried;   /* [candidates] */
    /* [candidates][folds][images]: whether the task that leaves out that fold and the picture's own gets the picture
     * right; -1: it diverged. Nothing where these are one fold. */
    const int8_t *right;
} ad_choose_table;

enum { AD_CHOOSE_BY_ALL = -1 }; /* in place of the fold that a choice is to know nothing of */
/* Right answers of a candidate that a choice goes by, and how many it has. */
int ad_choose_right(const ad_choose_table *table, int candidate, int without, int *answers);
/* By how much a's accuracy is higher than b's, over the pictures of a choice, and the standard error of that. */
double ad_choose_ahead(const ad_choose_table *table, int a, int b, int without, double *error);
/* The candidate with the most right answers, the first of equals; -1: none was tried. rank: of that kind only; a
 * negative one: of any. */
int ad_choose_most(const ad_choose_table *table, int rank, int without);
/* The best of the simplest kind whose best is not behind the best of all by more than a standard error of the
 * difference; -1: none was tried. */
int ad_choose_best(const ad_choose_table *table, int without);

/* A program of the search: a kind at one rate. Its candidates are numbers of steps, read out on the way. */
typedef struct ad_choose_run {
    adatom_method method; /* of the first candidate */
    int batch;
    bool backbone; /* the network adapts: the pictures are augmented, and steps are dear */
    int first, count;
    double step_work; /* multiply-adds of a picture in a step */
} ad_choose_run;

typedef struct ad_choose_candidate {
    adatom_method method;
    char name[128];
    int run; /* -1: it is not tried */
    const char *why_not;
    int diverged, folds_chosen;
    double seconds;
} ad_choose_candidate;

struct adatom_choice {
    adatom_context *ctx;
    adatom_choice_info info;
    ad_choose_run *runs;
    int run_count;
    ad_choose_candidate *candidates; /* [info.candidates] */
    int *rank;                       /* [info.candidates] */
    bool *tried;                     /* [info.candidates] */
    int8_t *right;                   /* as in ad_choose_table */
    int32_t *fold;                   /* [images] */
    int *by_fold;                    /* [folds]: the candidate chosen without it; -1: none yet */
    int images;
    char reason[256];
};

/* What the plan goes by. */
typedef struct ad_choose_scope {
    const adatom_fit_params *fit;
    adatom_method method; /* what candidates have in common */
    const adatom_adapt_kind *kinds;
    size_t kind_count;
    double picture_work; /* multiply-adds of a picture's forward pass */
    bool has_atoms, has_norms;
    bool features;        /* in place of pictures: the network stays as it is */
    size_t images, asked; /* pictures; those that can be left out */
    bool estimated;
} ad_choose_scope;

/* The rates that a kind has of its own, as bits; a kind of classifier alone has that of the head. */
enum {
    AD_CHOOSE_RATE_ATOMS = 1,
    AD_CHOOSE_RATE_NORM = 2,
    AD_CHOOSE_RATE_FULL = 4,
    AD_CHOOSE_RATE_ADAPTER = 8,
    AD_CHOOSE_RATE_HEAD = 16
};
unsigned ad_choose_rates(adatom_adapt_kind kind);

/* Tasks of a run: one for each two folds. */
static inline int ad_choose_pairs(int folds) { return folds * (folds - 1) / 2; }

/* Fills in the choice's runs and candidates, its budget, and in *folds the parts to deal the pictures into. */
adatom_status ad_choose_plan(const ad_choose_scope *scope, adatom_choice *choice, int *folds);
/* Pictures of a step of a task that leaves out `out` folds, `away` of the pictures. Tasks of the search, which leave
 * two out, take as large a part of what they learn from as `batch` is of all, so that as many steps are as many passes;
 * but 8 where there are as many. The estimate takes steps as the adapter does. */
int ad_choose_batch(int batch, double images, int out, double away);
ad_choose_table ad_choose_table_of(const adatom_choice *choice);
/* "atoms, rate 0.003", for progress and log; of rates of 0, the method's own, nothing. */
void ad_choose_name(const adatom_method *method, int steps, char *out, size_t capacity);
/* The choice as it stands in an adapter's configuration, as a new JSON object; NULL: out of memory. */
json_t *ad_choose_json(const adatom_choice *choice, uint64_t seed);
#endif
