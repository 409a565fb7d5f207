/* From what a user asks for (adatom_method) to what decides the numbers: every default filled in, every value
 * checked. */
#ifndef AD_FEWSHOT_METHOD_H
#define AD_FEWSHOT_METHOD_H

#include "compile/build.h"
#include "fewshot/heads/solver.h"
#include <adatom/adapt.h>
#include <jansson.h>

typedef struct ad_settings {
    adatom_adapt_kind kind;
    char name[64];  /* its text */
    unsigned adapt; /* roles */
    ad_lowrank lowrank;
    ad_solver_settings solver; /* of methods that take no steps on the device; else its solver is NONE */
    ad_layer_choice layers;    /* of what adapts; the text is the caller's */
    ad_head_kind head;
    ad_head_init head_init;
    bool head_random; /* drawn on the host (head_init HOST) */
    ad_bn_mode bn;
    ad_conv_path path;
    bool adam;
    float lr[AD_ROLE_COUNT], lr_adapter, momentum, dampening, weight_decay;
    bool nesterov;
    float label_noise, label_smoothing, cosine_scale, mean_scale;
    bool centroid; /* adapter_fit.c: a linear head that stays the nearest class mean */
    int views;     /* of each support picture; 0: the picture itself */
    bool mirror;   /* pictures to classify count as the mean of themselves and their mirror images */
    int steps;
    int batch, epochs; /* mini-batches of the support set (recipes); 0: all of it at each step */
    uint64_t seed;
    bool backbone; /* the backbone runs per episode; else features of the frozen one are shared */
} ad_settings;

/* A number that a caller gives, and what it may be. */
typedef struct ad_range {
    const char *what;
    double is, least, most;
    bool open; /* most itself is not allowed */
} ad_range;
/* USAGE: one of them is not in its range; nor is a NaN in any. where: "pretraining: ", or "". */
adatom_status ad_check_ranges(adatom_context *ctx, const char *where, const ad_range *ranges, size_t count);
/* Methods that an adapter cannot hold. */
bool ad_episodes_only(adatom_adapt_kind kind);
/* In the public structures 0 is the default and what is negative is none. */
float ad_or_default(float value, float otherwise);
/* model: whose defaults hold; NULL: those of a network made here. */
adatom_status ad_settings_resolve(adatom_context *ctx, const adatom_method *method, const adatom_model *model,
                                  ad_settings *out);
/* USAGE: the classifier starts from the model's, which has not so many classes, or none. */
adatom_status ad_settings_check_head(adatom_context *ctx, const ad_settings *settings, const ad_network *net, int way);
/* A seed as JSON: a number, or from 2^63 on, which JSON integers here don't reach, its digits as a text. */
json_t *ad_seed_json(uint64_t seed);
/* Everything that decides the result, as a new JSON object; NULL when out of memory. */
json_t *ad_settings_json(const ad_settings *settings);
/* Which nodes of a network adapt: a new array (ad_free), or NULL, all. USAGE where the choice does not fit it. */
adatom_status ad_settings_layers(adatom_context *ctx, const ad_settings *settings, const ad_network *net, bool **out);
/* The builder's parameters these settings decide, but for the layers. */
void ad_settings_apply(const ad_settings *settings, ad_build_params *build);
/* Schedule rows of 8 floats (ops.def): constant rates; Adam's bias corrections. */
void ad_settings_schedule(const ad_settings *settings, int steps, float *rows);
/* USAGE: flags that are not known, or that exclude each other. */
adatom_status ad_augment_check(adatom_context *ctx, uint32_t augment);
/* Views of support pictures are of this kind [RFS], and drawn by numbers: that of view 1.. of picture p of n. */
enum { AD_VIEWS_AUGMENT = ADATOM_AUGMENT_SHIFT | ADATOM_AUGMENT_FLIP | ADATOM_AUGMENT_JITTER, AD_MOST_VIEWS = 64 };
static inline int32_t ad_view_number(int view, int32_t picture, size_t n) { return view * (int32_t)n + picture; }
void ad_views_apply(uint64_t seed, const adatom_model *model, ad_build_params *build);
/* ADATOM_AUGMENT flags in the builder's terms. shift: pixels; mean: the model's. */
void ad_augment_apply(uint32_t augment, int shift, uint64_t seed, const float mean[3], ad_build_params *build);
#endif
