/* Episodes: drawing them. Their files are in fewshot/formats/episodes_file.c. */
#include "fewshot/episodes.h"
#include "fewshot/run_model.h"

#include <math.h>
#include <string.h>

#define MOST ADATOM_EPISODES_MOST /* of way, shot, query too: far beyond any data set, far below overflow */

size_t ad_episode_pictures(const adatom_episodes_info *info) {
    return (size_t)info->way * ((size_t)info->shot + (size_t)info->query);
}

void ad_episodes_rehash(adatom_episodes *list) {
    const adatom_episodes_info *info = &list->info;
    const int32_t shape[] = {info->way, info->shot, info->query};
    const uint64_t hash = ad_hash(shape, sizeof shape, 0);
    ad_hash_hex(ad_hash(list->pictures, (size_t)info->tasks * ad_episode_pictures(info) * sizeof *list->pictures, hash),
                list->info.hash);
}

/* What has been drawn so far. */
typedef struct sampler {
    int classes;
    size_t *first, *count; /* of each class: pictures first .. first+count-1 */
    size_t *taken_count;   /* pictures of the class drawn already */
    int32_t *taken;        /* class c: taken[first[c] ..], ascending numbers within the class */
    int *room;             /* episodes the class can still serve; negative while it is in the current one */
    int *chosen;           /* [way] */
} sampler;

static void sampler_clear(sampler *s) {
    ad_free(s->first);
    ad_free(s->count);
    ad_free(s->taken_count);
    ad_free(s->taken);
    ad_free(s->room);
    ad_free(s->chosen);
}

static adatom_status sampler_make(adatom_context *ctx, const adatom_dataset *dataset, const adatom_episodes *list,
                                  sampler *s) {
    adatom_status status = ADATOM_OK;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    const int way = list->info.way;
    const size_t least = (size_t)list->info.shot + (size_t)list->info.query, classes = (size_t)info.classes;
    if (ad_run_model_unlabelled(dataset))
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has no classes; %d-way episodes need %d", info.name, way, way);
    if (info.classes < way)
        return ad_fail(ctx, ADATOM_BAD_DATA, "'%s' has %d classes; %d-way episodes need %d", info.name, info.classes,
                       way, way);
    s->classes = info.classes;
    s->first = ad_calloc(ctx, classes, sizeof *s->first);
    s->count = ad_calloc(ctx, classes, sizeof *s->count);
    s->taken_count = ad_calloc(ctx, classes, sizeof *s->taken_count);
    s->taken = ad_calloc(ctx, info.images, sizeof *s->taken);
    s->room = ad_calloc(ctx, classes, sizeof *s->room);
    s->chosen = ad_calloc(ctx, (size_t)way, sizeof *s->chosen);
    if (!s->first || !s->count || !s->taken_count || !s->taken || !s->room || !s->chosen) return ADATOM_OUT_OF_MEMORY;
    for (int c = 0; c < info.classes; c++) {
        const char *name = NULL;
        AD_TRY(adatom_dataset_class(dataset, c, &name, &s->first[c], &s->count[c]));
        if (s->count[c] < least)
            return ad_fail(ctx, ADATOM_BAD_DATA,
                           "class '%s' of '%s' has %zu pictures; %d shots and %d queries need %zu", name, info.name,
                           s->count[c], list->info.shot, list->info.query, least);
        s->room[c] = list->without_replacement ? (int)AD_MIN(s->count[c] / least, (size_t)INT32_MAX) : 1;
    }
done:
    return status;
}

/* One of the classes with the most room, each equally likely; -1 if none has any. With replacement all have the same.
 * Without, taking the largest first makes as many episodes as the set can give. */
static int draw_class(const sampler *s, ad_random *random) {
    int most = 0;
    uint32_t ties = 0;
    for (int c = 0; c < s->classes; c++) {
        if (s->room[c] > most) {
            most = s->room[c];
            ties = 0;
        }
        ties += s->room[c] == most;
    }
    if (most == 0) return -1;
    uint32_t pick = ad_random_below(random, ties);
    for (int c = 0;; c++)
        if (s->room[c] == most && pick-- == 0) return c;
}

/* A picture of class c that is not among the taken ones: a uniform rank among the rest, then past the taken ones before
 * it. */
static int32_t draw_picture(sampler *s, ad_random *random, int c) {
    int32_t *taken = s->taken + s->first[c];
    const size_t count = s->taken_count[c];
    size_t number = ad_random_below(random, (uint32_t)(s->count[c] - count)), i = 0;
    for (; i < count && (size_t)taken[i] <= number; i++) number++;
    memmove(taken + i + 1, taken + i, (count - i) * sizeof *taken);
    taken[i] = (int32_t)number;
    s->taken_count[c]++;
    return (int32_t)(s->first[c] + number);
}

/* Classes, then the queries class by class, then the support shot by shot: neither classes nor queries depend on the
 * number of shots, and fewer shots are the beginning of more. false: the classes do not suffice. */
static bool draw_episode(sampler *s, adatom_episodes *list, int e) {
    const int way = list->info.way, shot = list->info.shot, query = list->info.query;
    int32_t *support = list->pictures + (size_t)e * ad_episode_pictures(&list->info),
            *queries = support + (size_t)way * (size_t)shot;
    ad_random random = ad_random_make(list->info.seed, AD_STREAM_EPISODE, (uint32_t)e);
    for (int w = 0; w < way; w++) {
        const int c = s->chosen[w] = draw_class(s, &random);
        if (c < 0) return false;
        s->room[c] = -s->room[c]; /* not twice in an episode */
    }
    for (int w = 0; w < way; w++)
        for (int q = 0; q < query; q++) *queries++ = draw_picture(s, &random, s->chosen[w]);
    for (int i = 0; i < shot; i++)
        for (int w = 0; w < way; w++) support[w * shot + i] = draw_picture(s, &random, s->chosen[w]);
    for (int w = 0; w < way; w++) {
        const int c = s->chosen[w];
        s->room[c] = -s->room[c];
        if (list->without_replacement)
            s->room[c]--;
        else
            s->taken_count[c] = 0;
    }
    return true;
}

static adatom_status check_number(adatom_context *ctx, const char *what, int value) {
    if (value >= 1 && value <= MOST) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_USAGE, "%s is %d; it must be 1 to %d", what, value, MOST);
}

adatom_status adatom_episodes_create(adatom_context *context, const adatom_dataset *dataset,
                                     const adatom_episodes_params *params, adatom_episodes **out) {
    adatom_episodes_params p;
    sampler s = {0};
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    *out = NULL;
    adatom_episodes *list = NULL;
    adatom_status status = AD_PARAMS(context, adatom_episodes_params, params, &p);
    const ad_call outer = ad_call_begin(context, NULL, NULL);
    AD_TRY(status);
    if (!(list = ad_calloc(context, 1, sizeof *list))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    list->ctx = context;
    list->without_replacement = p.without_replacement;
    list->info = (adatom_episodes_info){.way = p.way ? p.way : 5,
                                        .shot = p.shot ? p.shot : 1,
                                        .query = p.query ? p.query : 15,
                                        .tasks = p.tasks ? p.tasks : 600,
                                        .seed = p.seed};
    AD_TRY(check_number(context, "way", list->info.way));
    AD_TRY(check_number(context, "shot", list->info.shot));
    AD_TRY(check_number(context, "query", list->info.query));
    AD_TRY(check_number(context, "the number of episodes", list->info.tasks));
    AD_TRY(sampler_make(context, dataset, list, &s));
    if (!(list->pictures = ad_calloc(context, (size_t)list->info.tasks,
                                     ad_episode_pictures(&list->info) * sizeof *list->pictures))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    adatom_dataset_describe(dataset, &info);
    memcpy(list->info.dataset_hash, info.hash, sizeof info.hash);
    for (int e = 0; e < list->info.tasks; e++)
        if (!draw_episode(&s, list, e)) {
            status = ad_fail(context, ADATOM_BAD_DATA,
                             "'%s' gives only %d episodes without a picture in two of them; %d were asked for",
                             info.name, e, list->info.tasks);
            goto done;
        }
    ad_episodes_rehash(list);
    *out = list;
    list = NULL;
done:
    sampler_clear(&s);
    adatom_episodes_destroy(&list);
    return ad_call_end(context, &outer, status);
}

void adatom_episodes_destroy(adatom_episodes **episodes) {
    if (!episodes || !*episodes) return;
    ad_free((*episodes)->pictures);
    ad_free(*episodes);
    *episodes = NULL;
}

adatom_status adatom_episodes_describe(const adatom_episodes *episodes, adatom_episodes_info *out) {
    return AD_INFO(episodes->ctx, adatom_episodes_info, &episodes->info, out);
}

adatom_status adatom_episodes_get(const adatom_episodes *episodes, int e, const int32_t **support,
                                  const int32_t **query) {
    const adatom_episodes_info *info = &episodes->info;
    if (e < 0 || e >= info->tasks)
        return ad_fail(episodes->ctx, ADATOM_USAGE, "there is no episode %d, only 0 to %d", e, info->tasks - 1);
    *support = episodes->pictures + (size_t)e * ad_episode_pictures(info);
    *query = *support + (size_t)info->way * (size_t)info->shot;
    return ADATOM_OK;
}

int32_t ad_support_label(const adatom_episodes_info *list, int i, float noise) {
    const int class = i / list->shot, wrong = (int)lroundf(noise * (float)list->shot);
    return i % list->shot < wrong ? (class + 1) % list->way : class;
}
