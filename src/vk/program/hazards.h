/* Which launches need a barrier before them. */
#ifndef AD_VK_HAZARDS_H
#define AD_VK_HAZARDS_H

#include "vk/program/launch.h"

enum { VK_MAX_PENDING = 256 };

/* Accesses since the last barrier. A barrier is a full one (compute to compute): it ends all of them. */
typedef struct vk_hazards {
    vk_use uses[VK_MAX_PENDING];
    int count;
} vk_hazards;

/* Whether the launch must not begin before what is pending has ended. */
bool ad_vk_hazards_conflict(const vk_hazards *h, const vk_launch *launch);
void ad_vk_hazards_add(vk_hazards *h, const vk_launch *launch);
#endif
