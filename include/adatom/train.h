/* Training on base classes: pretraining (a network learns to classify them) and meta-training (it learns to be adapted
 * to episodes of them). */
#ifndef ADATOM_TRAIN_H
#define ADATOM_TRAIN_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_pretrain_params {
    size_t size;
    /* The network; NULL: the defaults. Its classes must be 0 or those of the data; its seed is that of the
     * initialisation, 0: `seed`. */
    const adatom_model_params *model;
    /* NULL: a new network. Else training starts from this model's network, preprocessing and parameters. `model` may
     * only repeat the network (zero: the same). The classifier is kept if the data has as many classes, else new. */
    const adatom_model *from;
    int epochs;                 /* passes over the pictures, 1..1e6; 0: 30 */
    int batch;                  /* pictures of a step, 2..65536; 0: 64 */
    adatom_optimizer optimizer; /* default: sgd, which has Nesterov's momentum */
    float lr;                   /* peak learning rate, up to 1000; 0: 0.1 (sgd), 0.001 (adam) */
    float momentum;             /* of sgd; beta1 of adam; < 1; 0: 0.9; negative: none */
    float weight_decay;         /* of everything but norms, up to 100; 0: 5e-4; negative: none */
    float label_smoothing;      /* in [0, 1) */
    /* Part of the steps, < 1, in which the rate rises linearly, to fall to 0 as a cosine, or at the milestones. 0: 0.1;
     * negative: none. */
    float warmup;
    /* Epochs, ascending, 1..epochs-1, at whose ends the rate is multiplied by `decay`, in (0, 1); 0: 0.1. NULL: it
     * falls as a cosine. [milestone_count], at most 64. */
    const int *milestones;
    size_t milestone_count;
    float decay;
    /* Each picture is mixed with the next of its step, and so are their labels: by a share drawn for each step from
     * Beta(a, a) for the whole picture (mixup) or as a rectangle (cutmix); a in (0, 100], 0: not. With both, each step
     * takes one of them. */
    float mixup, cutmix;
    /* Each picture is shown four times in a step, turned by quarters (batch: a multiple of 4), and a second classifier,
     * which is not kept, tells how far; its loss counts `rotation` times; up to 100, 0: not. */
    float rotation;
    /* Weights are averaged: at each step so much of the average stays, in [0, 1), and the rest is the step's. The
     * model, also that of validation, has the average. 0: none. */
    float average;
    /* A model with the same classes and pictures of the same size, whose probabilities the network is to give as well
     * [Hinton et al. 2015; Tian et al. 2020]: a part `teacher_weight` of the loss, in (0, 1], 0: 0.5, is their
     * divergence, both at the temperature `temperature`, 0.1..100, 0: 4. NULL: none. */
    const adatom_model *teacher;
    float teacher_weight, temperature;
    /* Part of the activations after each of the last two stages that are dropped as blocks [Ghiasi et al. 2018] of
     * `dropblock_side` pixels (1..64, 0: 5; at most the image); in (0, 0.9]; 0: none. It is reached in the middle of
     * the training, from 0 at its start. */
    float dropblock;
    int dropblock_side;
    /* Convolutions may be computed in faster ways that round more (Winograd's on the CPU). */
    bool fast;
    uint32_t augment;                 /* ADATOM_AUGMENT flags; 0: shift and flip */
    int shift;                        /* most pixels of augmentation shift, 1..1024; 0: image_size/10 */
    uint64_t seed;                    /* of start, order of pictures and augmentation */
    const adatom_dataset *validation; /* classes to validate on after each epoch; NULL: no validation */
    /* Episodes of validation (5-way 5-shot, class means), 1..ADATOM_EPISODES_MOST; 0: 100. */
    int validation_tasks;
    /* File of the model, required. It is written at the end and, with validation, after each better epoch. */
    const char *output;
    /* File of the checkpoint, which is removed at the end; NULL: output with ".checkpoint" behind it. */
    const char *checkpoint;
    /* A checkpoint is written after each epoch, and within an epoch after so many seconds, 1..1e6; 0: 120. */
    int checkpoint_seconds;
    /* Whether to continue from the checkpoint, whose settings must be the same. If there is none, a warning tells; it
     * is BAD_DATA if `checkpoint` names one. */
    bool resume;
    /* Whether to begin anew and remove a checkpoint that is there. If there is one, and neither member is set, it is
     * USAGE. */
    bool restart;
    /* Most bytes of device memory for tensors, of which validation, if any, gets a quarter; 0: half of what is free, or
     * more if that is too little. It decides where the pictures are and does not change the result. */
    size_t memory_bytes;
    /* Text to keep in the model's notes, which makes it part of what decides the file's bytes; NULL: none. */
    const char *command;
    adatom_progress_callback progress; /* phase TRAINING, after each block of steps and each epoch; may be NULL */
    void *user;
} adatom_pretrain_params;

/* Trains on all classes of `base` and writes params->output. The same data, settings, device and driver give the same
 * file, byte by byte, also if the run was interrupted and resumed. FAILED: training diverged; BAD_DATA: the data sets
 * do not fit the network or the settings. INTERRUPTED: the steps that were begun are done, and a checkpoint of the last
 * one is written if there was any. out may be NULL; else the caller owns *out. */
ADATOM_API adatom_status adatom_pretrain(adatom_device *device, const adatom_dataset *base,
                                         const adatom_pretrain_params *params, adatom_model **out);

/* Zero means the default. A negative rate or weight decay stands for 0. */
typedef struct adatom_metatrain_params {
    size_t size;
    /* As in adatom_pretrain_params, but for the classes, which may be 0 only: a head that is learned has `way`. */
    const adatom_model_params *model;
    const adatom_model *from;
    /* protonet (default): queries are classified by the class means of the support set, and the gradient goes through
     * both; nothing adapts to a task. maml: first-order MAML; anil: the same where only the classifier adapts; reptile:
     * how far the steps go stands in place of the gradient, for what they change. */
    adatom_meta meta;
    adatom_distance distance; /* of protonet alone. cosine: times a scale that is learned, at first cosine_scale */
    float cosine_scale;       /* as of adatom_method; USAGE with protonet's distance euclidean */
    /* What adapts to a task, and how: atoms (default), head, cosine, norm, atoms+norm or full (with anil: cosine, the
     * default, or head), and of this the members steps (0: 5), lr, lr_atoms, lr_norm, lr_full (0: 0.01), head,
     * cosine_scale, head_init, layers, last, optimizer (0: sgd), momentum (0: none), dampening, nesterov, weight_decay
     * and conv. head_init means (default): the classifier is made anew in every task, and its start has no gradient;
     * model: it starts from one that is learned and is part of the model. That is the one of `from` where it has `way`
     * classes, else a new one, which is zero, or, where the head is a cosine, random. USAGE: a procedure, label noise,
     * label smoothing, or a policy of batch norm. NULL: every default; with protonet it must be NULL. */
    const adatom_method *inner;
    /* Episodes of training: way 2..1000, 0: 5; shot, 0: 1; query pictures of each class, 0: 15. */
    int way, shot, query;
    int meta_batch;             /* tasks of a step, 1..1024; 0: 4 */
    int epochs;                 /* 1..1e6; 0: 60 */
    int epoch_tasks;            /* tasks of an epoch, a multiple of meta_batch; 0: 1000 */
    adatom_optimizer optimizer; /* of what tasks have in common; default: adam. sgd has Nesterov's momentum */
    float lr;                   /* its rate; 0: 0.001 (adam), 0.01 (sgd) */
    float momentum;             /* of sgd; beta1 of adam; 0: 0.9; negative: none */
    float weight_decay;         /* of everything but norms */
    /* Epochs at whose ends the rate is multiplied by `decay`, as in adatom_pretrain_params; 0: 0.5. */
    const int *milestones;
    size_t milestone_count;
    float decay;
    /* Whether norms use the running statistics, which stay as they are, or those of the pictures of a task at hand,
     * whose mean over tasks goes into the running ones. Default (0): running where `from` is given, else of the task.
     */
    adatom_meta_norms norms;
    uint32_t augment; /* ADATOM_AUGMENT flags; 0: shift and flip */
    int shift;        /* as in adatom_pretrain_params */
    uint64_t seed;    /* of start, episodes and augmentation */
    /* Classes to validate on after each epoch, by episodes of `shot` support and 15 query pictures a class; NULL: no
     * validation. They adapt as the inner method says, where norms is task with the statistics of their support set;
     * protonet: class means with the running statistics. */
    const adatom_dataset *validation;
    int validation_tasks; /* 1..ADATOM_EPISODES_MOST; 0: 200 */
    int validation_way;   /* 0: 5; a head that is learned has that of training */
    int tasks_at_once;    /* tasks of a step that the device works on at a time, at most; 0: all that fit */
    const char *output;   /* these as in adatom_pretrain_params */
    const char *checkpoint;
    int checkpoint_seconds;
    bool resume, restart;
    size_t memory_bytes;
    const char *command;
    adatom_progress_callback progress; /* phase TRAINING */
    void *user;
    bool fast; /* as in adatom_pretrain_params */
} adatom_metatrain_params;

/* Trains on episodes of all classes of `base` and writes params->output, as adatom_pretrain() does: so are the
 * statuses, and what is the same byte by byte, also for other numbers of tasks at once. */
ADATOM_API adatom_status adatom_metatrain(adatom_device *device, const adatom_dataset *base,
                                          const adatom_metatrain_params *params, adatom_model **out);

#ifdef __cplusplus
}
#endif
#endif
