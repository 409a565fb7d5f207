#include "fewshot/task_start.h"

#include <math.h>

void ad_draw_head(uint64_t seed, int task, int features, float *weights, size_t count) {
    ad_random random = ad_random_make(seed, AD_STREAM_HEAD, (uint32_t)task);
    const float bound = 1.0f / sqrtf((float)features);
    for (size_t i = 0; i < count; i++) weights[i] = (2.0f * ad_random_uniform(&random) - 1.0f) * bound;
}

adatom_status ad_start_lowrank(ad_session *s, uint64_t seed, int task, int slot) {
    const ad_lowrank *how = &s->build.lowrank;
    adatom_status status = ADATOM_OK;
    if (how->kind == AD_LOWRANK_TSA) return ADATOM_OK; /* it starts at zero */
    for (int l = 0; l < s->built.lowrank_count && status == ADATOM_OK; l++) {
        const ad_lowrank_layer *layer = &s->built.lowrank[l];
        const ad_node *node = &s->model->net.nodes[layer->node];
        const size_t count = ad_lowrank_a_count(node, how);
        ad_random random = ad_random_make(seed, AD_STREAM_ADAPTER, (uint32_t)task);
        random.counter[1] = (uint32_t)l;
        float *a = ad_malloc(s->device->ctx, count, sizeof *a);
        if (!a) return ADATOM_OUT_OF_MEMORY;
        ad_lowrank_start(node, how->rank, &random, a);
        status = ad_session_write(s, s->built.adapted, slot, layer->a, a, count);
        ad_free(a);
    }
    return status;
}
