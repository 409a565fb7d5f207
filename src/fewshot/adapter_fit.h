/* From a folder of pictures to an adapter. What the parts share: settings and the estimate (adapter_fit.c), tasks on
 * the device (adapter_fit_tasks.c), the adapter made of what they hold at the end (adapter_collect.c).
 *
 * The estimate of the adapter's accuracy is a set of tasks that each leave some pictures out, all of them adapted at
 * once; the adapter itself is one more task with every picture. */
#ifndef AD_FEWSHOT_ADAPTER_FIT_H
#define AD_FEWSHOT_ADAPTER_FIT_H

#include "fewshot/adapter.h"
#include "fewshot/method.h"
#include "fewshot/run_model.h"
#include "fewshot/session.h"

enum { AD_ADAPTER_FIT_EVERYTHING = AD_FOLD_NONE, AD_ADAPTER_FIT_CHECKPOINTS = 10 };

/* What the estimate measured after some number of steps. */
typedef struct ad_adapter_fit_checkpoint {
    int steps;
    int *tested, *right;        /* [classes] */
    int all_tested, all_right;  /* sums over the classes */
    int lost_tasks, first_lost; /* tasks that diverged: what they were asked about is not among tested */
    /* [tasks][images] of what each task is asked about whether it is right (-1: the task diverged), or NULL. */
    int8_t *answers;
    /* [images] what each picture that one task is asked about was taken for (ADATOM_ANSWER_...), or NULL. */
    int32_t *taken;
    /* [images][classes] the class scores of each picture that a task is asked about, and [images] how familiar it looks
     * (ad_adapter_scores); both NULL, or where nothing comes from a task NaN as its caller filled them. */
    float *scores, *familiarity;
} ad_adapter_fit_checkpoint;

typedef struct ad_adapter_fit {
    adatom_device *device;
    adatom_context *ctx;
    ad_run_model run;
    const adatom_model *model; /* run.model */
    const adatom_dataset *dataset;
    adatom_dataset_info info;
    adatom_fit_params p; /* defaults filled in */
    adatom_method method;
    ad_settings settings;
    bool *layers; /* of the network, those that adapt; NULL: all */
    int images, features;
    int32_t *labels; /* of each picture */
    int32_t *fold;   /* the task that leaves it out and is asked about it; AD_ADAPTER_FIT_EVERYTHING: none */
    int folds;       /* tasks of the estimate; 0: none */
    /* The two folds that each task leaves out and is asked about, the second AD_FOLD_NONE where it is only one; NULL:
     * task t leaves out fold t. */
    const int32_t (*leaves)[2];
    bool fresh; /* each step has its own pictures: mini-batches or augmentation */
    /* Features of all pictures on the host, the device's [images][features]; NULL where they depend on the support
     * set. */
    const float *table;
    ad_session session; /* its rows: the pictures, or their features where the backbone stays as it is */
    /* Of the tasks that run: consecutive folds, or the one with everything (first AD_ADAPTER_FIT_EVERYTHING). */
    int first, count;
    size_t weight;  /* of a task in the progress */
    int rounds;     /* of different pictures; 0: always the same */
    int32_t *order; /* [images] room for the pictures of a task */
    /* Results of the estimate. */
    int checkpoint_count;
    ad_adapter_fit_checkpoint checkpoints[AD_ADAPTER_FIT_CHECKPOINTS];
    int *counts;    /* holds tested and right of all checkpoints */
    int32_t *taken; /* and what pictures were taken for; NULL: there is no estimate */
    float *scores;  /* and scores and familiarity; NULL: there is no calibration */
    json_t *choice; /* how the method was chosen, for the configuration; NULL: it was named */
} ad_adapter_fit;

/* A fit whose params are checked and filled in, without folds. Whatever happens, ad_adapter_fit_close() follows. */
adatom_status ad_adapter_fit_open(ad_adapter_fit *fit, adatom_device *device, const adatom_model *model,
                                  const adatom_dataset *dataset, const adatom_fit_params *params);
/* After the folds are known: decides what a step is and sends the pictures, or their features, to the device. */
adatom_status ad_adapter_fit_settle(ad_adapter_fit *fit);
/* Adapts to every picture with the number of steps of `best`, which holds the estimate. */
adatom_status ad_adapter_fit_make(ad_adapter_fit *fit, const ad_adapter_fit_checkpoint *best, adatom_adapter **out);
/* From an open fit to its adapter: the folds of the estimate that its params ask for, the estimate, the adapter. */
adatom_status ad_adapter_fit_whole(ad_adapter_fit *fit, adatom_adapter **out);
void ad_adapter_fit_close(ad_adapter_fit *fit);

/* Plans so many tasks from `first` on and begins their session. */
adatom_status ad_adapter_fit_begin(ad_adapter_fit *fit, int first, int count);
/* Starts the group of tasks from `at` on; there are fit->session.build.tasks of them. */
adatom_status ad_adapter_fit_start(ad_adapter_fit *fit, int at);
/* Runs further steps (`after_start`: the first ones) and adds to `out` what the tasks from `at` on are asked about and
 * what of it they get right. */
adatom_status ad_adapter_fit_run(ad_adapter_fit *fit, int at, bool after_start, int steps,
                                 ad_adapter_fit_checkpoint *out);

/* An adapter with room for the classifier of a task. */
adatom_status ad_adapter_fit_classifier(const ad_adapter_fit *fit, adatom_adapter **out);
/* Gives checkpoints[count] room for the scores and the familiarity of all pictures, filled with NaN, in one block,
 * *out, which the caller frees; NULL, and none of them has any, where that is more than 1 GiB, which the log tells. */
adatom_status ad_adapter_fit_allocate_scores(adatom_context *ctx, size_t images, int classes,
                                             ad_adapter_fit_checkpoint *checkpoints, int count, float **out);
/* All tasks that leave pictures out, from the start to the last checkpoint. */
adatom_status ad_adapter_fit_ask(ad_adapter_fit *fit);

/* Reads the adapted numbers, the statistics and the head of the session's first task into the adapter. FAILED: one is
 * not finite; the message names its tensor. */
adatom_status ad_adapter_fit_collect(ad_adapter_fit *fit, adatom_adapter *adapter);
/* What decided the adapter and how good it is, as a new JSON object (ad_adapter_finish adds what the numbers themselves
 * say); NULL: out of memory. fitted_right: of all pictures, by the adapter itself. */
json_t *ad_adapter_fit_configuration(const ad_adapter_fit *fit, const ad_adapter_fit_checkpoint *best,
                                     int fitted_right);
#endif
