/* Recipes: measured results as a file, with everything that decided them, so that anybody can run them again and see
 * whether they hold. Recipes and reproductions are used by one thread at a time, that of their context. */
#ifndef ADATOM_RECIPE_H
#define ADATOM_RECIPE_H

#include <adatom/adapt.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_recipe adatom_recipe;

/* Reads a recipe, a JSON object. Names of files in it are relative to the recipe's folder. Members in brackets are
 * optional:
 *   format_version  1
 *   name            what is measured, in one line
 *   [source]        where the numbers come from
 *   [notes]         anything else
 *   model           a safetensors file
 *   [model_hash]    the model's hash, as `adatom inspect` tells it
 *   data            an object: [spec], [split], [csv] as for adatom_dataset_open(); [seed], [per_class] of builtin
 *                   sets; [supply], which says what the user must bring and is required if there is no spec; [hash] of
 *                   the decoded pictures
 *   episodes        an object: way 2..1024, shot 1..1024, query 1..4096, tasks 2..1e6, seed 0..2^53 (also of random
 *                   heads), [without_replacement]; [first], [count]: the part of the list that is run, two or more
 *                   episodes, count 0: all from first on; [list_hash] of the whole list
 *   results         1..64 objects of
 *     method        an object of adatom_method's members by their names (procedure is called recipe), enums by their
 *                   texts: adapt, and optionally the others but seed, tasks_at_once and memory_bytes. A rate, momentum
 *                   or dampening of 0 is here a 0 and not the default
 *     expected      an object: accuracy 0..1; ci95 0..1, half the width of its 95 % interval; [tolerance] 0..1, which
 *                   requires data.hash and episodes.list_hash
 *
 * BAD_DATA, in one sentence that names file and member: a member is unknown, given twice, missing, of another type or
 * out of range. The caller owns *out. */
ADATOM_API adatom_status adatom_recipe_load(adatom_context *context, const char *path, adatom_recipe **out);
/* The same from text[size] in memory, of which nothing is kept. name: for messages; its folder is the recipe's. */
ADATOM_API adatom_status adatom_recipe_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                             adatom_recipe **out);
ADATOM_API void adatom_recipe_destroy(adatom_recipe **recipe);

/* What the file says. Texts that it does not give are NULL, numbers that it does not give 0. */
typedef struct adatom_recipe_info {
    size_t size;
    const char *name, *source, *notes; /* what is measured; where from; anything else */
    const char *model, *model_hash;    /* model: the file's path from the current folder */
    /* spec and csv: paths from the current folder, where they are files. spec NULL: the user brings the data. */
    const char *spec, *split, *csv, *supply, *data_hash;
    uint64_t data_seed;                     /* of builtin sets */
    int per_class;                          /* of builtin sets; 0: the default */
    const adatom_episodes_params *episodes; /* owned by the recipe */
    int first, count;                       /* the part of the list that is run; count 0: all from first on */
    const char *list_hash;                  /* hash of the whole list */
    int results;                            /* number of results */
} adatom_recipe_info;
ADATOM_API adatom_status adatom_recipe_describe(const adatom_recipe *recipe, adatom_recipe_info *out);

typedef struct adatom_recipe_result {
    size_t size;
    const adatom_method *method; /* owned by the recipe; its seed is that of the episodes */
    double accuracy, ci95;       /* expected accuracy 0..1, and half the width of its 95 % interval */
    double tolerance;            /* for the same list of episodes; 0: by the rule of adatom_recipe_run() */
} adatom_recipe_result;
/* The method and the expected outcome of result number `result`. USAGE: it is outside 0..results-1. */
ADATOM_API adatom_status adatom_recipe_get(const adatom_recipe *recipe, int result, adatom_recipe_result *out);

typedef struct adatom_recipe_params {
    size_t size;
    /* In place of the recipe's data, split and csv; NULL: the recipe's. With data, the recipe's csv is not used. */
    const char *data, *split, *csv;
    const char *cache_dir;             /* folder in which decoded pictures are kept; NULL: they are not kept */
    int threads;                       /* threads that decode; 0: all processors */
    adatom_progress_callback progress; /* phase DECODING, then EPISODES with the result's number as part; may be NULL */
    void *user;
} adatom_recipe_params;

typedef struct adatom_reproduction adatom_reproduction;

typedef struct adatom_reproduction_info {
    size_t size;
    int results, passed;                   /* number of results; of those that passed */
    bool same_model, same_data, same_list; /* the recipe gives the hash, and it is equal */
    const adatom_model *model;             /* these three are owned by the reproduction */
    const adatom_dataset *dataset;
    const adatom_episodes *episodes;
} adatom_reproduction_info;

typedef struct adatom_reproduction_result {
    size_t size;
    const adatom_evaluation *evaluation; /* owned by the reproduction */
    double difference;                   /* measured minus expected accuracy; NaN if every episode diverged */
    double tolerance;                    /* the largest difference that passes */
    bool passed;                         /* |difference| <= tolerance, and no episode diverged */
} adatom_reproduction_result;

/* Opens the recipe's model and data, draws its episodes and runs every result. A result passes if its accuracy differs
 * from the expected one by no more than the tolerance, which is
 *   - over the same episodes (equal list_hash and hash of the data): the recipe's tolerance, or else half the expected
 *     ci95, but at least 0.005. The sampling error is the same in both runs, so that only rounding and its growth over
 *     the steps can differ;
 *   - otherwise sqrt(expected ci95^2 + measured ci95^2), the 95 % interval of the difference between two samples.
 *
 * If the hash of the model, data set or list is not the recipe's, a warning in the log tells. A result that does not
 * pass is no error: see `passed`. params may be NULL. BAD_DATA: neither recipe nor params have data (the message ends
 * with the recipe's `supply`), or a part cannot be opened. INTERRUPTED leaves *out NULL. The caller owns *out. */
ADATOM_API adatom_status adatom_recipe_run(adatom_device *device, const adatom_recipe *recipe,
                                           const adatom_recipe_params *params, adatom_reproduction **out);
ADATOM_API adatom_status adatom_reproduction_describe(const adatom_reproduction *reproduction,
                                                      adatom_reproduction_info *out);
/* The outcome of result number `result`. USAGE: it is outside 0..results-1. */
ADATOM_API adatom_status adatom_reproduction_get(const adatom_reproduction *reproduction, int result,
                                                 adatom_reproduction_result *out);
ADATOM_API void adatom_reproduction_destroy(adatom_reproduction **reproduction);

#ifdef __cplusplus
}
#endif
#endif
