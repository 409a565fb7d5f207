#ifndef AD_FEWSHOT_EPISODES_H
#define AD_FEWSHOT_EPISODES_H

#include "base/base.h"
#include <adatom/episode.h>

struct adatom_episodes {
    adatom_context *ctx;
    adatom_episodes_info info;
    bool without_replacement;
    int32_t *pictures; /* [tasks][way*shot support, then way*query queries] */
};

size_t ad_episode_pictures(const adatom_episodes_info *info); /* support and queries of one episode */
void ad_episodes_rehash(adatom_episodes *list);
/* The label of support picture number i of an episode. noise: adatom_method.label_noise. Classes and pictures of an
 * episode are in random order, so that the first pictures of each class are as good as any; more noise turns more of
 * the same ones. */
int32_t ad_support_label(const adatom_episodes_info *list, int i, float noise);
#endif
