#include "vk/program/hazards.h"

#include <string.h>

static bool overlap(const vk_use *a, const vk_use *b) {
    return (a->write || b->write) && a->buffer == b->buffer && a->begin < b->end && b->begin < a->end;
}

bool ad_vk_hazards_conflict(const vk_hazards *h, const vk_launch *launch) {
    if (h->count + launch->use_count > VK_MAX_PENDING) return true;
    for (int i = 0; i < launch->use_count; i++)
        for (int j = 0; j < h->count; j++)
            if (overlap(&launch->uses[i], &h->uses[j])) return true;
    return false;
}

void ad_vk_hazards_add(vk_hazards *h, const vk_launch *launch) {
    memcpy(h->uses + h->count, launch->uses, (size_t)launch->use_count * sizeof *launch->uses);
    h->count += launch->use_count;
}
