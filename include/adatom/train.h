/* Pretraining by classification of the base classes. */
#ifndef ADATOM_TRAIN_H
#define ADATOM_TRAIN_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_pretrain_progress {
    int epoch, epochs;     /* epoch counts from 1 */
    long step, steps;      /* of the whole run */
    double loss, accuracy; /* running, this epoch, training images */
    double validation;     /* accuracy of class means on validation episodes after this epoch; < 0: not now */
    double seconds;        /* spent training, the earlier parts of a resumed run included */
    double images_per_s;
    size_t arena_bytes; /* device memory of the arenas: parameters, state, activations, pictures */
    bool streamed;      /* not all pictures fit: the next batches' are copied to the device while it computes */
    bool epoch_end;
} adatom_pretrain_progress;

typedef struct adatom_pretrain_params {
    adatom_model_params model; /* classes is set from the data; seed 0: `seed` */
    const adatom_model
        *from; /* NULL: a new network. Else training starts from this model's parameters: its network and preprocessing,
                  which  `model` may only repeat (zero: the same), and its classifier if the data has as many classes */
    int epochs;            /* 0: 30 */
    int batch;             /* 0: 64 */
    const char *optimizer; /* sgd (Nesterov) or adam; NULL: sgd */
    float lr;              /* peak; 0: 0.1 (sgd), 0.001 (adam) */
    float momentum;        /* of sgd, beta1 of adam, < 1; 0: 0.9; negative: none */
    float weight_decay;    /* 0: 5e-4; negative: none. Norms are never decayed */
    float label_smoothing; /* 0: none */
    float warmup;          /* part of the steps; 0: 0.1; negative: none. Then a cosine to 0 */
    const char *augment;   /* none, shift, crop (random resized crop); with +flip and +jitter, e.g. "shift+flip"; NULL:
                              shift+flip */
    int shift;             /* pixels; 0: image size / 10 */
    uint64_t seed;
    const adatom_dataset *validation; /* NULL: no validation */
    int validation_tasks;             /* episodes, 5-way 5-shot with class means; 0: 100 */
    const char *output;               /* model file, written at the end (and after each better epoch if validated) */
    const char *checkpoint;           /* NULL: output + ".checkpoint"; removed at the end */
    int checkpoint_seconds;           /* at least after each epoch; 0: 120 s within an epoch */
    bool resume;  /* continue from the checkpoint, whose settings must agree; if there is none, a warning in the log, or
                     BAD_DATA where `checkpoint` names one */
    bool restart; /* a checkpoint that is there is removed. Without either of the two it is USAGE */
    size_t memory_bytes; /* limit for the arenas, of which validation, if any, gets a quarter; 0: half of what is free,
                            or more where that is too little. Changes nothing but where the pictures are */
    const char *command; /* kept in the model's notes, and so part of what decides the file's bytes; NULL: none */
    void (*progress)(void *user, const adatom_pretrain_progress *now);
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
