/* The state of an unfinished pretraining: enough to continue with the same bytes. */
#ifndef AD_FEWSHOT_CHECKPOINT_H
#define AD_FEWSHOT_CHECKPOINT_H

#include "base/base.h"

typedef struct ad_checkpoint {
    long step;          /* steps done */
    double best;        /* best validation accuracy so far, < 0: none */
    double seconds;     /* spent training so far */
    double loss, right; /* sums over the running epoch */
    long seen;          /* pictures of the running epoch */
    char config[17];    /* hash of everything that decides the run */
    size_t counts[4];   /* floats of each array below */
    float *arrays[4];   /* adapted parameters, velocity, second moment (may be absent), model values (statistics, best model) */
} ad_checkpoint;

enum { AD_CHECKPOINT_ADAPTED, AD_CHECKPOINT_VELOCITY, AD_CHECKPOINT_SECOND, AD_CHECKPOINT_STATISTICS };

adatom_status ad_checkpoint_write(adatom_context *ctx, const char *path, const ad_checkpoint *checkpoint);
/* Reads into arrays of the sizes given; counts and config must agree (BAD_DATA otherwise). */
adatom_status ad_checkpoint_read(adatom_context *ctx, const char *path, ad_checkpoint *checkpoint);
#endif
