/* What an open Vulkan engine consists of. */
#ifndef AD_VK_ENGINE_H
#define AD_VK_ENGINE_H

#include "vk/core/transfer.h"
#include "vk/program/pipelines.h"
#include "vk/vk.h"

typedef struct vk_choice { /* of the tuner: which variant to use for operations of this class */
    uint64_t geometry;
    char variant[32]; /* by name: numbers may change from one version to the next */
} vk_choice;

typedef struct vk_engine {
    ad_engine base;
    vk_instance instance;
    vk_device device;
    vk_queue queue;
    ad_vk_caps caps;
    vk_disk_cache cache;
    vk_pipelines pipelines;
    vk_choice *choices;
    int choice_count, choice_capacity;
    bool choices_changed;
    ad_verdict half_verdicts[AD_OP_COUNT][AD_MAX_VARIANTS], half_storage;
    double dispatch_seconds; /* what one dispatch may take at most: an operation that takes longer is divided */
    bool omit_barriers;      /* of programs made from now on */
} vk_engine;

static inline vk_engine *vk_engine_of(ad_engine *engine) { return (vk_engine *)engine; }
#endif
