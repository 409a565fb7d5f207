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
#endif
