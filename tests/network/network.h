/* What the parts of this test share: the settings, their inputs and plans, and the double reference at its start. */
#ifndef TESTS_NETWORK_H
#define TESTS_NETWORK_H
#include "compile/build.h"
#include "device/device.h"
#include "tests/support/interpreter.h"

enum { ALL = (1 << AD_ROLE_STATISTICS) - 1, ATOMS = 1 << AD_ROLE_ATOMS, NORM = 1 << AD_ROLE_NORM };
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
    bool large;         /* so many numbers that the gradient is tried along directions */
    bool gradient_only; /* the engines are checked with smaller networks */
    const char *layers; /* those that adapt, NULL: all; of these the last so many, 0: all */
    int last;
    ad_regular regular;
    float norms; /* most that is added to scales, shifts and statistics of norms; 0: 0.3 */
} setting;

/* Host values of everything a run reads. */
typedef struct inputs {
    adatom_model *model;
    uint8_t *pixels;
    int32_t support[TASKS * WAY * SHOT], labels[TASKS * WAY * SHOT], query[TASKS * WAY * SHOT];
    float schedule[STEPS * AD_SCHEDULE_COLUMNS], norm[8], mix[8], teacher[TASKS * WAY * SHOT * WAY];
    int32_t turns[TASKS * WAY * SHOT];
} inputs;

extern const setting settings[];
extern const int setting_count;
extern adatom_context *ctx;
extern int failures;

/* Ends the program where status is a failure. */
void must(adatom_status status, const char *what);

inputs make_inputs(const setting *s, float rate);
void free_inputs(inputs *in);
ad_built make_plan_with(const setting *s, const inputs *in, bool half, int lanes, bool through);
ad_built make_plan(const setting *s, const inputs *in);
/* Room for A and B of a layer. */
float *adapter_room(const setting *s, const ad_built *b, const inputs *in, size_t *a_count, size_t *b_count, int layer);
/* The numbers that the host writes for a layer of a task: A from its start, B as if steps had been taken. */
void adapter_numbers(const setting *s, const inputs *in, const ad_lowrank_layer *layer, int task, float *a, float *b);
/* The alignment of a task as if steps had been taken, [features][features]; NULL: the plan has none. */
float *alignment_numbers(const ad_built *b, const inputs *in, int task, size_t *count);
void interpret_adapters(const setting *s, const ad_built *b, const inputs *in, interpreter *run);
/* The double reference behind init and prefix. */
interpreter *start(const setting *s, const ad_built *b, const inputs *in);

void check_gradient(const setting *s, int number);
void check_merge(const setting *original, int number);
/* half: with u in half precision, if the plan has any. The double reference knows only numbers as they are. */
void check_engine(ad_engine *e, const setting *s, int number, bool half);

#endif
