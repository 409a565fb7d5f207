/* What the tests of whole networks share: a network and what adapts of it, everything a run reads, and the run of its
 * plan by the double reference. */
#ifndef AD_TESTS_NETWORK_H
#define AD_TESTS_NETWORK_H

#include "compile/build.h"
#include "tests/support/interpreter.h"

enum { PICTURES = 24, WAY = 3, SHOT = 2, TASKS = 2, STEPS = 3 };

typedef struct setting {
    const char *arch, *sharing;
    int size, width;
    unsigned adapt;
    ad_head_kind head;
    ad_head_init init;
    ad_bn_mode bn;
    ad_conv_path path;
    bool adam, residual, fused; /* fused: path AUTO takes the fused operations wherever it can */
    ad_lowrank lowrank;
    int group;
    const char *layers; /* those that adapt, of these the last so many */
    int last, draws;    /* draws: numbers whose gradient is compared; 0: 40 */
} setting;

/* Host values of everything a run reads. */
typedef struct inputs {
    adatom_model *model;
    uint8_t *pixels;
    int32_t support[TASKS * WAY * SHOT], labels[TASKS * WAY * SHOT], query[TASKS * WAY * SHOT];
    float schedule[STEPS * AD_SCHEDULE_COLUMNS], norm[8];
} inputs;

extern adatom_context *ctx;
extern int failures;

/* Ends the test where the status is a failure. */
void must(adatom_status status, const char *what);
inputs make_inputs(const setting *s, float rate);
void free_inputs(inputs *in);
ad_built make_plan(const setting *s, const inputs *in);
/* Writes the numbers of adapters that come from the host into a run. */
void interpret_adapters(const setting *s, const ad_built *b, const inputs *in, interpreter *run);
/* A run after INIT and PREFIX. */
interpreter *start(const setting *s, const ad_built *b, const inputs *in);

/* adapters.c: adapters of kernels start as the model, and are what is merged into its kernels. */
void check_merge(const setting *original, int number);
#endif
