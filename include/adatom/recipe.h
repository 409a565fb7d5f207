/* Recipes: a measured result as a file, with everything that decided it, so that anybody can run it again and see
 * whether it holds. Recipes and reproductions are used by one thread at a time, that of their context. */
#ifndef ADATOM_RECIPE_H
#define ADATOM_RECIPE_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_recipe adatom_recipe;

/* A JSON object; unknown members, members given twice, other types and numbers out of range are BAD_DATA, in one
 * sentence that names file and member. Texts that name a file are relative to the recipe's folder. Optional members are
 * in brackets. format_version  1 name            what is measured, in one line [source]        where the numbers come
 * from; [notes] anything else model           a safetensors file; [model_hash] as `adatom inspect` tells it data an
 * object: [spec], [split], [csv] as of adatom_dataset_open(); [seed], [per_class] of builtin sets; [supply] says what
 *                   the user must bring, and is needed where there is no spec; [hash] of the decoded pictures
 *   episodes        an object: way 2..1024, shot 1..1024, query 1..4096, tasks 2..1e6, seed 0..2^53 (of random heads
 * too), [without_replacement], [first], [count] (the part of the list that is run, two or more; 0: all), [list_hash] of
 * the whole list results         1..64 objects of method        an object of adatom_method's members by their names
 * (recipe: procedure) with the values' texts: adapt, and optionally the others but seed, tasks_at_once and
 * memory_bytes; here a rate, momentum or dampening of 0 is
 * a 0 expected      an object: accuracy 0..1, ci95 (half width of its 95 % interval) 0..1, [tolerance] 0..1, which
 * needs data.hash and episodes.list_hash */
ADATOM_API adatom_status adatom_recipe_load(adatom_context *context, const char *path, adatom_recipe **out);
/* The same from memory; name is used in messages, and its folder is the recipe's. */
ADATOM_API adatom_status adatom_recipe_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                             adatom_recipe **out);
ADATOM_API void adatom_recipe_destroy(adatom_recipe **recipe);

/* Texts are owned by the recipe; those that the file does not give are NULL. */
typedef struct adatom_recipe_info {
    size_t size;
    const char *name, *source, *notes;
    const char *model, *model_hash; /* model: resolved against the recipe's folder */
    const char *spec, *split, *csv, *supply,
        *data_hash; /* spec and csv: resolved; spec NULL: the user brings the data */
    uint64_t data_seed;
    int per_class;
    const adatom_episodes_params *episodes; /* owned by the recipe */
    int first, count;
    const char *list_hash;
    int results;
} adatom_recipe_info;
ADATOM_API adatom_status adatom_recipe_describe(const adatom_recipe *recipe, adatom_recipe_info *out);

typedef struct adatom_recipe_result {
    size_t size;
    const adatom_method *method; /* owned by the recipe; the seed is the episodes' */
    double accuracy, ci95;       /* expected */
    double tolerance;            /* over the same list; 0: by the rule of adatom_recipe_run() */
} adatom_recipe_result;
/* USAGE outside 0..results-1. */
ADATOM_API adatom_status adatom_recipe_get(const adatom_recipe *recipe, int result, adatom_recipe_result *out);

typedef struct adatom_recipe_params {
    size_t size;
    const char *data, *split,
        *csv; /* in place of the recipe's; NULL: the recipe's. With data, the recipe's csv does not count */
    const char *cache_dir;             /* decoded pictures; NULL: not kept */
    int threads;                       /* decoding; 0: all processors */
    adatom_progress_callback progress; /* DECODING, then EPISODES with the result's number as part */
    void *user;
} adatom_recipe_params;

typedef struct adatom_reproduction adatom_reproduction;

typedef struct adatom_reproduction_info {
    size_t size;
    int results, passed;
    bool same_model, same_data, same_list; /* the recipe gives a hash and it is the same */
    const adatom_model *model;             /* these three are owned by the reproduction */
    const adatom_dataset *dataset;
    const adatom_episodes *episodes;
} adatom_reproduction_info;

typedef struct adatom_reproduction_result {
    size_t size;
    const adatom_evaluation *evaluation; /* owned by the reproduction */
    double difference;                   /* measured - expected; NaN where every episode diverged */
    double tolerance;
    bool passed; /* |difference| <= tolerance, and no episode diverged */
} adatom_reproduction_result;

/* Opens the recipe's model and data, draws its episodes and runs every result. A result passes when the accuracy
 * differs from the expected one by no more than the tolerance:
 *   - over the same list of episodes (by list_hash and by the data's hash): the recipe's own, or half the expected
 * ci95, but at least half a percentage point. The sampling error is the same in both runs, so only rounding and its
 * growth over the steps may tell them apart;
 *   - else sqrt(expected ci95^2 + measured ci95^2), the 95 % interval of a difference of two samples.
 * A model, data set or list whose hash is another than the recipe's is a warning in the log. params may be NULL.
 * BAD_DATA: the recipe has no data and params neither (the message is the recipe's `supply`), or as of the functions
 * that open the parts. A result that does not pass is no error: see passed. INTERRUPTED leaves *out NULL. */
ADATOM_API adatom_status adatom_recipe_run(adatom_device *device, const adatom_recipe *recipe,
                                           const adatom_recipe_params *params, adatom_reproduction **out);
ADATOM_API adatom_status adatom_reproduction_describe(const adatom_reproduction *reproduction,
                                                      adatom_reproduction_info *out);
/* USAGE outside 0..results-1. */
ADATOM_API adatom_status adatom_reproduction_get(const adatom_reproduction *reproduction, int result,
                                                 adatom_reproduction_result *out);
ADATOM_API void adatom_reproduction_destroy(adatom_reproduction **reproduction);

#ifdef __cplusplus
}
#endif
#endif
