/* Episodes: lists of tasks, each with the pictures of its support and query sets. A list does not change once it is
 * made; it is used by one thread at a time, that of its context. */
#ifndef ADATOM_EPISODE_H
#define ADATOM_EPISODE_H

#include <adatom/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_episodes adatom_episodes;

enum {
    ADATOM_EPISODES_MOST = 1000000 /* most episodes of a list */
};

typedef struct adatom_episodes_params {
    size_t size;
    int way, shot, query; /* classes of an episode; its support and query pictures a class; 1..1000000; 0: 5, 1, 15 */
    int tasks;            /* number of episodes, 1..ADATOM_EPISODES_MOST; 0: 600 */
    uint64_t seed;        /* of the random numbers that draw the episodes */
    /* Whether no picture is in two episodes. The classes with most pictures left are then drawn first, so that an
     * episode depends on those before it and, through them, on shot. BAD_DATA if the data set has too few pictures. */
    bool without_replacement;
} adatom_episodes_params;

typedef struct adatom_episodes_info {
    size_t size;
    int way, shot, query, tasks; /* as in adatom_episodes_params */
    uint64_t seed;               /* as in adatom_episodes_params */
    char hash[17];               /* hash of the list, equal for the same pictures in the same order; 16 hex digits */
    char dataset_hash[17];       /* adatom_dataset_info.hash of the data that it was drawn from */
} adatom_episodes_info;

/* Draws a list of episodes. params may be NULL. Random numbers are keyed by (seed, episode), so that episode e is the
 * same for any number of tasks and threads. An episode's classes and queries are drawn first, then its support: they do
 * not depend on shot, and the support with one shot is the beginning of that with five. BAD_DATA: there are fewer
 * classes than way, or none, or a class, which the message names, has fewer than shot+query pictures. The caller owns
 * *out. */
ADATOM_API adatom_status adatom_episodes_create(adatom_context *context, const adatom_dataset *dataset,
                                                const adatom_episodes_params *params, adatom_episodes **out);
ADATOM_API void adatom_episodes_destroy(adatom_episodes **episodes);
ADATOM_API adatom_status adatom_episodes_describe(const adatom_episodes *episodes, adatom_episodes_info *out);
/* Writes the list as JSON, as adatom_write_file() writes: parameters, hash of the data set, and the pictures' numbers
 * of each episode. */
ADATOM_API adatom_status adatom_episodes_save(const adatom_episodes *episodes, const char *path);
/* Reads a list that was drawn from this data set. BAD_DATA: it was drawn from another data set (by hash), or is
 * damaged. The caller owns *out. */
ADATOM_API adatom_status adatom_episodes_load(adatom_context *context, const char *path, const adatom_dataset *dataset,
                                              adatom_episodes **out);
/* The same from text[size] in memory, of which nothing is kept; name: for messages. */
ADATOM_API adatom_status adatom_episodes_parse(adatom_context *context, const char *name, const char *text, size_t size,
                                               const adatom_dataset *dataset, adatom_episodes **out);
/* The pictures of episode e: (*support)[way][shot] and (*query)[way][query], numbers of pictures in the data set; the
 * first index is the label. Owned by the list. USAGE: e is outside 0..tasks-1. */
ADATOM_API adatom_status adatom_episodes_get(const adatom_episodes *episodes, int e, const int32_t **support,
                                             const int32_t **query);

#ifdef __cplusplus
}
#endif
#endif
