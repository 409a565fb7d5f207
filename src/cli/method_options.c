#include "method_options.h"

const char *const method_names[] = {ADATOM_ADAPT_LIST(CHOICE_TEXT) NULL};
static const char *const optimizers[] = {ADATOM_OPTIMIZER_LIST(CHOICE_TEXT) NULL};
static const char *const heads[] = {ADATOM_HEAD_LIST(CHOICE_TEXT) NULL};
static const char *const head_inits[] = {ADATOM_HEAD_INIT_LIST(CHOICE_TEXT) NULL};
static const char *const distances[] = {ADATOM_DISTANCE_LIST(CHOICE_TEXT) NULL};
static const char *const bns[] = {ADATOM_BN_LIST(CHOICE_TEXT) NULL};
static const char *const convs[] = {ADATOM_CONV_LIST(CHOICE_TEXT) NULL};

#define OPTIONS method_options
#define REAL(text, member, low, high, words)                                                                           \
    OPTION(text, ARG_REAL, member, .least = low, .most = high, .value = "X", .help = words)
#define RATE(text, member, high, words)                                                                                \
    OPTION(text, ARG_REAL, member, .most = high, .zero_is_none = true, .value = "X", .help = words)
#define CHOICE(text, member, list, first, words)                                                                       \
    OPTION(text, ARG_ENUM, member, .choices = (list) + (first), .base = first, .value = "NAME", .help = words)
static const arg_option method_table[] = {
    OPTION("layers", ARG_TEXT, layers, .value = "NAME[,NAME]",
           .help = "layers that adapt, by the names of 'adatom inspect' or patterns with * and ?: 'layer1*,layer20' "
                   "(default all)"),
    OPTION(
        "last", ARG_INT, last, .least = 0, .most = 1e6, .value = "N",
        .help =
            "of these only the last N that have numbers that adapt; 0: all. What is below runs once a picture, but in "
            "every step where steps have pictures of their own (mini-batches, augmentation)"),
    OPTION("steps", ARG_INT, steps, .least = 0, .most = 1e6, .value = "N",
           .help = "optimiser steps; 0: the method's default, and in a list the start"),
    CHOICE("optimizer", optimizer, optimizers, 1, "optimiser of all methods that take steps (default adam)"),
    RATE("lr", lr, 1000, "learning rate of the head"),
    RATE("lr-atoms", lr_atoms, 1000, "learning rate of the atoms"),
    RATE("lr-norm", lr_norm, 1000, "learning rate of the scale and shift of norms"),
    RATE("lr-full", lr_full, 1000, "learning rate of everything else with full"),
    RATE("lr-adapter", lr_adapter, 1000, "learning rate of adapters of kernels: lora, dora, bora, tsa"),
    OPTION("rank", ARG_INT, rank, .least = 0, .most = 256, .value = "R", .help = "rank of low-rank adapters; 0: 4"),
    REAL("adapter-scale", adapter_scale, 0, 1000, "kernels change by scale/rank times their product; 0: the rank"),
    RATE("momentum", momentum, 0.999999, "momentum of sgd; beta1 of adam (default 0.9)"),
    RATE("dampening", dampening, 1, "dampening of sgd's momentum (default 0); beta2 of adam (default 0.999)"),
    OPTION("nesterov", ARG_FLAG, nesterov, .help = "sgd with Nesterov's momentum"),
    REAL("weight-decay", weight_decay, 0, 100, "weight decay of everything that adapts but norms"),
    REAL("label-smoothing", label_smoothing, 0, 0.99, "smoothing of the support labels"),
    CHOICE("head", head, heads, 1, "classifier of the methods that train one"),
    CHOICE("head-init", head_init, head_inits, 1,
           "start of that classifier (default means: the directions of the class means; model: the model's own, which "
           "must have as many classes)"),
    REAL("cosine-scale", cosine_scale, 0, 1000, "scale of cosine heads; 0: 10"),
    CHOICE("distance", distance, distances, 0, "distance of features to class means, for centroid"),
    REAL("inverse-penalty", inverse_penalty, 0, 1e6, "logistic: C of the penalty |W|^2/(2C); 0: 1"),
    REAL("shrinkage", shrinkage, 0, 1, "lda: of the covariance, above 0; 0: Ledoit and Wolf's"),
    OPTION("neighbours", ARG_INT, neighbours, .least = 0, .most = 1e6, .value = "K",
           .help = "knn: support pictures that vote; 0: 5"),
    REAL("label-noise", label_noise, 0, 0.999,
         "part of each class's support pictures that get the label of another class, for experiments"),
    OPTION("support-views", ARG_INT, support_views, .least = 0, .most = 64, .value = "N",
           .help = "show each support picture N times, shifted, flipped and jittered; 0: once, as it is"),
    OPTION("mirror", ARG_FLAG, mirror,
           .help = "take the mean over the features of each picture to classify and of its mirror image"),
    CHOICE("bn", bn, bns, 0, "statistics of batch norm; transductive looks at the queries"),
    CHOICE("conv", conv, convs, 0, "how decomposed layers are computed"),
    OPTION("tasks-at-once", ARG_INT, tasks_at_once, .least = 0, .most = 1e6, .initial = "0", .value = "N",
           .help = "tasks in one submission; 0: as many as are useful and fit"),
    OPTION("memory", ARG_BYTES, memory, .value = "SIZE",
           .help = "most device memory to use, e.g. 2G; 0: half of what is free"),
};
#undef OPTIONS
#undef REAL
#undef RATE
#undef CHOICE

arg_group method_group(method_options *values) {
    return (arg_group){"Method (what is not given is the method's default)", method_table, COUNT(method_table), values};
}

adatom_method method_params(const method_options *o, const char *adapt, uint64_t seed) {
    adatom_method m = {.size = sizeof m,
                       .layers = o->layers,
                       .last = o->last,
                       .steps = o->steps,
                       .optimizer = o->optimizer,
                       .lr = o->lr,
                       .lr_atoms = o->lr_atoms,
                       .lr_norm = o->lr_norm,
                       .lr_full = o->lr_full,
                       .lr_adapter = o->lr_adapter,
                       .rank = o->rank,
                       .adapter_scale = o->adapter_scale,
                       .momentum = o->momentum,
                       .dampening = o->dampening,
                       .nesterov = o->nesterov,
                       .weight_decay = o->weight_decay,
                       .label_smoothing = o->label_smoothing,
                       .head = o->head,
                       .head_init = o->head_init,
                       .cosine_scale = o->cosine_scale,
                       .distance = o->distance,
                       .inverse_penalty = o->inverse_penalty,
                       .shrinkage = o->shrinkage,
                       .label_noise = o->label_noise,
                       .support_views = o->support_views,
                       .mirror = o->mirror,
                       .neighbours = o->neighbours,
                       .bn = o->bn,
                       .conv = o->conv,
                       .seed = seed,
                       .tasks_at_once = o->tasks_at_once,
                       .memory_bytes = (size_t)(o->memory < SIZE_MAX ? o->memory : SIZE_MAX)};
    adatom_adapt_kind_parse(adapt, &m.adapt); /* cannot fail: adapt is one of method_names */
    return m;
}
