/* The state of an unfinished training: enough to continue with the same bytes. */
#ifndef AD_FEWSHOT_CHECKPOINT_H
#define AD_FEWSHOT_CHECKPOINT_H

#include "base/base.h"

enum {
    AD_CHECKPOINT_ADAPTED, /* parameters */
    AD_CHECKPOINT_VELOCITY,
    AD_CHECKPOINT_SECOND, /* moment */
    AD_CHECKPOINT_STATISTICS,
    AD_CHECKPOINT_AVERAGE, /* of the parameters */
    AD_CHECKPOINT_AVERAGE_STATISTICS,
    AD_CHECKPOINT_ARRAYS
};

/* What was told at an epoch's end: means over its pictures, accuracy 0..1, of validation episodes too (-1: none). */
typedef struct ad_epoch {
    double loss, accuracy, validation, images_per_s;
} ad_epoch;

typedef struct ad_checkpoint {
    long step;          /* steps done */
    double best;        /* best validation accuracy so far, < 0: none */
    char best_hash[17]; /* of the model that was written for it; "" where there is none */
    double seconds;     /* spent training so far */
    double loss, right; /* sums over the running epoch */
    long seen;          /* pictures of the running epoch; at its end all of them until it is validated and told */
    char config[17];    /* hash of everything that decides the run */
    ad_epoch *epochs;   /* the first ad_checkpoint_told() are set; room for steps/steps_per_epoch */
    /* Floats of each array, 0: absent; the arrays. */
    size_t counts[AD_CHECKPOINT_ARRAYS];
    float *arrays[AD_CHECKPOINT_ARRAYS];
    /* The run that it must fit, not kept in the file: its steps, those of an epoch, pictures of a step. */
    long steps, steps_per_epoch;
    int batch;
} ad_checkpoint;

/* Epochs that were told. At an epoch's end it is none of them as long as its pictures are `seen`. */
long ad_checkpoint_told(const ad_checkpoint *checkpoint);
adatom_status ad_checkpoint_write(adatom_context *ctx, const char *path, const ad_checkpoint *checkpoint);
/* Reads into arrays of the sizes given. BAD_DATA unless every byte is as it was written, the numbers are possible for
 * the run of checkpoint->steps, steps_per_epoch and batch, counts and config agree and everything is finite; the
 * checkpoint is then half filled. */
adatom_status ad_checkpoint_read(adatom_context *ctx, const char *path, ad_checkpoint *checkpoint);
/* The same from memory, which is changed; name is used in messages. */
adatom_status ad_checkpoint_parse(adatom_context *ctx, const char *name, void *bytes, size_t size,
                                  ad_checkpoint *checkpoint);
/* Writes the checksum of a checkpoint's bytes into its place; false where there is no such place. */
bool ad_checkpoint_seal(void *bytes, size_t size);
#endif
