/* Pretraining by classification of the base classes. */
#ifndef ADATOM_TRAIN_H
#define ADATOM_TRAIN_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_pretrain_params {
    size_t size;
    const adatom_model_params *model; /* NULL: the defaults. Its classes must be 0 or the data's; its seed is the
                                         start's, 0: `seed` */
    const adatom_model
        *from; /* NULL: a new network. Else training starts from this model's parameters: its network and preprocessing,
                  which `model` may only repeat (zero: the same), and its classifier if the data has as many classes */
    int epochs;                 /* 0: 30 */
    int batch;                  /* 0: 64 */
    adatom_optimizer optimizer; /* default: sgd, with Nesterov's momentum */
    float lr;                   /* peak; 0: 0.1 (sgd), 0.001 (adam) */
    float momentum;             /* of sgd, beta1 of adam, < 1; 0: 0.9; negative: none */
    float weight_decay;         /* 0: 5e-4; negative: none. Norms are never decayed */
    float label_smoothing;      /* 0: none */
    float warmup;               /* part of the steps; 0: 0.1; negative: none. Then a cosine to 0 */
    uint32_t augment;           /* ADATOM_AUGMENT flags; 0: shift and flip */
    int shift;                  /* pixels; 0: image size / 10 */
    uint64_t seed;
    const adatom_dataset *validation; /* NULL: no validation */
    int validation_tasks;   /* episodes, 5-way 5-shot with class means, at most ADATOM_EPISODES_MOST; 0: 100 */
    const char *output;     /* model file, written at the end (and after each better epoch if validated) */
    const char *checkpoint; /* NULL: output + ".checkpoint"; removed at the end */
    int checkpoint_seconds; /* at least after each epoch; 0: 120 s within an epoch */
    bool resume;  /* continue from the checkpoint, whose settings must agree; if there is none, a warning in the log, or
                     BAD_DATA where `checkpoint` names one */
    bool restart; /* a checkpoint that is there is removed. Without either of the two it is USAGE */
    size_t memory_bytes; /* limit for the arenas, of which validation, if any, gets a quarter; 0: half of what is free,
                            or more where that is too little. Changes nothing but where the pictures are */
    const char *command; /* kept in the model's notes, and so part of what decides the file's bytes; NULL: none */
    adatom_progress_callback progress; /* TRAINING, after each block of steps and each epoch */
    void *user;
} adatom_pretrain_params;

/* Trains on all classes of `base` and writes params->output. The same data, settings, device and driver give the same
 * file, byte by byte, whether the run was interrupted and resumed or not. INTERRUPTED: the steps that were begun are
 * done and a checkpoint of the last one was written, unless the run had not come to its first step. out may be NULL. */
ADATOM_API adatom_status adatom_pretrain(adatom_device *device, const adatom_dataset *base,
                                         const adatom_pretrain_params *params, adatom_model **out);

#ifdef __cplusplus
}
#endif
#endif
