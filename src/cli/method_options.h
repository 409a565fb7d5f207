/* The options that describe a method, for all commands that adapt. */
#ifndef CLI_METHOD_H
#define CLI_METHOD_H

#include "cli.h"
#include <adatom/adapt.h>

typedef struct method_options {
    const char *layers;
    int last, steps, rank, tasks_at_once;
    adatom_optimizer optimizer;
    adatom_head head;
    adatom_head_init head_init;
    adatom_distance distance;
    adatom_bn bn;
    adatom_conv conv;
    float lr, lr_atoms, lr_norm, lr_full, lr_adapter, adapter_scale, momentum, dampening, weight_decay, label_smoothing,
        cosine_scale, inverse_penalty, shrinkage, label_noise;
    int neighbours, support_views;
    bool mirror;
    bool nesterov;
    uint64_t memory;
} method_options;

/* The texts of adatom_adapt_kind, ended by NULL. The first, "default", is no option's value. */
extern const char *const method_names[];
/* The group of options that describe a method; they are read into *values. */
arg_group method_group(method_options *values);
/* The method that the options describe. adapt: one of method_names. */
adatom_method method_params(const method_options *options, const char *adapt, uint64_t seed);
#endif
