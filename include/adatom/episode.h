/* Episodes: which pictures form the support and query sets of each task. A list does not change once it is made; it is
 * used by one thread at a time, that of its context. */
#ifndef ADATOM_EPISODE_H
#define ADATOM_EPISODE_H

#include <adatom/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_episodes adatom_episodes;

enum {
    ADATOM_EPISODES_MOST = 1000000 /* episodes of a list */
};

typedef struct adatom_episodes_params {
    size_t size;
    int way, shot, query; /* classes; support and query pictures per class; 0: 5, 1, 15 */
    int tasks;            /* number of episodes, at most ADATOM_EPISODES_MOST; 0: 600 */
    uint64_t seed;
    bool without_replacement; /* no picture in two episodes: the classes with most pictures left are drawn first
                                 (BAD_DATA if the set is too small), so an episode depends on those before it, and
                                 through them on shot */
} adatom_episodes_params;

typedef struct adatom_episodes_info {
    size_t size;
    int way, shot, query, tasks;
    uint64_t seed;
    char hash[17]; /* of the list: the same pictures in the same order give the same hash */
    char dataset_hash[17];
} adatom_episodes_info;

/* Draws from a generator keyed by (seed, episode): episode e is the same whatever `tasks` and threads are. The queries
 * and the classes of an episode do not depend on shot: an episode's classes and queries are drawn first, then its
 * support; the 1-shot support is the beginning of the 5-shot support. A class with fewer than shot+query pictures:
 * BAD_DATA, named. */
ADATOM_API adatom_status adatom_episodes_create(adatom_context *context, const adatom_dataset *dataset,
                                                const adatom_episodes_params *params, adatom_episodes **out);
ADATOM_API void adatom_episodes_destroy(adatom_episodes **episodes);
ADATOM_API adatom_status adatom_episodes_describe(const adatom_episodes *episodes, adatom_episodes_info *out);
/* JSON: parameters, hash of the data set, and for each episode the pictures' numbers. Temporary name, then renamed. */
ADATOM_API adatom_status adatom_episodes_save(const adatom_episodes *episodes, const char *path);
/* BAD_DATA when the list was drawn from another data set (by hash) or is damaged. */
ADATOM_API adatom_status adatom_episodes_load(adatom_context *context, const char *path, const adatom_dataset *dataset,
                                              adatom_episodes **out);
ADATOM_API adatom_status adatom_episodes_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                               const adatom_dataset *dataset, adatom_episodes **out);
/* Pictures of episode e: support[way*shot] and query[way*query], class by class (label = index / shot or / query).
 * Owned by the list. USAGE outside 0..tasks-1. */
ADATOM_API adatom_status adatom_episodes_get(const adatom_episodes *episodes, int e, const int32_t **support,
                                             const int32_t **query);

#ifdef __cplusplus
}
#endif
#endif
