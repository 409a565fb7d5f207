/* Choosing how to adapt. Which method, rate and number of steps does best depends on the network, the pictures and how
 * many there are. adatom_adapter_choose() tries several on the pictures themselves, takes one and makes its adapter. */
#ifndef ADATOM_CHOOSE_H
#define ADATOM_CHOOSE_H

#include <adatom/adapter.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What was tried, and what came of it. It does not change once it is made, and is used by one thread at a time, that of
 * its context. */
typedef struct adatom_choice adatom_choice;

typedef struct adatom_choose_params {
    size_t size;
    /* How every candidate is fitted; NULL: every default. Of its method, adapt must be the default; a number of steps
     * and rates that are not 0 hold for all candidates in place of those that would be tried; bn must be frozen. batch
     * 0: 16 where the network adapts, 64 for a classifier alone. Augmentation is for candidates that adapt the network;
     * features of a frozen one are computed once. folds 0: as many as `budget` allows, 5 at most; else 3 to 1000.
     * estimate: default or folds (an outer split, with the choice made anew in each part), or none. early_stop must be
     * false: numbers of steps are candidates. progress: phase CHOOSING; what a run is asked for later is FITTING. */
    const adatom_fit_params *fit;
    /* What is tried, [kind_count], each once, the more important first: where the budget does not allow all, the last
     * ones that adapt the network are left out. NULL: centroid, cosine, atoms, atoms+norm, norm. USAGE: default. */
    const adatom_adapt_kind *kinds;
    size_t kind_count;
    /* Most multiply-adds of the networks that the search takes, without the adapter that is made in the end; it decides
     * how many rates, numbers of steps and folds are tried, so that the result does not depend on a clock. At least 0;
     * 0: 2.5e12. Classifiers alone take next to none, and are always tried. */
    double budget;
} adatom_choose_params;

typedef struct adatom_choice_info {
    size_t size;
    int candidates; /* those that adatom_choice_candidate() tells of */
    int folds;      /* parts into which the pictures were dealt; 0: no choice was possible, `reason` says why */
    int tested;     /* pictures that each candidate was asked about: those that can be left out */
    int chosen;     /* the candidate that was taken; -1: none yet, the search was interrupted */
    int best;       /* the candidate with the most right answers; -1: none was tried */
    /* The best candidate of another kind than the chosen one, and how much better the chosen one is (a difference of
     * accuracies, negative if it is worse), with its standard error over the pictures; -1: there is none. */
    int rival;
    double ahead, ahead_error;
    /* The estimate: answers of what is chosen without a part of the pictures, asked for that part. estimated 0: there
     * is none. accuracy is right/estimated, low and high its 95 % interval [Wilson 1927]. */
    int estimated, right;
    double accuracy, low, high;
    double budget, work; /* multiply-adds: most that were allowed; those that were spent */
    double seconds;      /* wall time of the search */
    const char *reason;  /* why no choice was possible; NULL: one was */
} adatom_choice_info;

typedef struct adatom_candidate {
    size_t size;
    /* Everything that adatom_adapter_fit() needs to make the candidate's adapter of all pictures, with `batch` and the
     * search's augmentation (none if only a classifier adapts) and estimate none; owned by the choice. */
    const adatom_method *method;
    const char *name;    /* e.g. "atoms, rate 0.005, 16 steps"; owned by the choice */
    int batch;           /* pictures of a step */
    bool tried;          /* false: it was not, and why_not says why; the method is then its kind's default */
    const char *why_not; /* NULL if it was tried, or if the search was interrupted before */
    /* Each of the `tested` pictures is asked about by folds - 1 tasks, which learn neither from its part nor from one
     * other. accuracy is the mean over pictures and tasks, low and high its 95 % interval as of `tested` answers
     * [Wilson 1927]. Of many candidates the best one's is optimistic. `diverged` tasks of `tasks` gave no answer, which
     * counts as a wrong one. */
    int tested, tasks, diverged;
    double accuracy, low, high;
    int folds_chosen; /* in how many of the parts of the estimate it was chosen */
    double seconds;   /* wall time of its run; numbers of steps of one kind and rate are read out of the same run */
} adatom_candidate;

/* Chooses how to adapt the model to all classes of a data set, and makes the adapter; docs/methods.md says how. Where
 * no class has enough pictures to leave some out, the simplest kind that was to be tried is taken, and the choice's
 * `reason` says so. The same seed gives the same choice. *choice is made whether the search ends or is INTERRUPTED (and
 * then holds the candidates that were tried; *adapter is NULL), else NULL. The caller owns both. params may be NULL.
 * Fails as adatom_adapter_fit() does; FAILED also if every candidate diverged in every part. */
ADATOM_API adatom_status adatom_adapter_choose(adatom_device *device, const adatom_model *model,
                                               const adatom_dataset *dataset, const adatom_choose_params *params,
                                               adatom_choice **choice, adatom_adapter **adapter);
ADATOM_API adatom_status adatom_choice_describe(const adatom_choice *choice, adatom_choice_info *out);
/* Describes candidate `index`, 0..candidates-1 (else USAGE), in the order in which they were tried. */
ADATOM_API adatom_status adatom_choice_candidate(const adatom_choice *choice, int index, adatom_candidate *out);
ADATOM_API void adatom_choice_destroy(adatom_choice **choice);

#ifdef __cplusplus
}
#endif
#endif
