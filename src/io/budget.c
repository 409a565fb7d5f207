/* One budget of bytes that all decoding threads share. */
#include "io/dataset.h"

#include <pthread.h>

struct ad_budget {
    pthread_mutex_t lock;
    pthread_cond_t freed;
    uint64_t bytes, aside, taken;
};

adatom_status ad_budget_make(adatom_context *ctx, uint64_t bytes, ad_budget **out) {
    ad_budget *b = *out = ad_calloc(ctx, 1, sizeof *b);
    if (!b) return ADATOM_OUT_OF_MEMORY;
    b->bytes = bytes;
    if (pthread_mutex_init(&b->lock, NULL) == 0) {
        if (pthread_cond_init(&b->freed, NULL) == 0) return ADATOM_OK;
        pthread_mutex_destroy(&b->lock);
    }
    ad_free(b);
    *out = NULL;
    return ad_fail(ctx, ADATOM_OUT_OF_MEMORY, "out of memory for a lock");
}

void ad_budget_take(ad_budget *budget, uint64_t bytes) {
    if (!budget) return;
    pthread_mutex_lock(&budget->lock);
    while (budget->taken > 0 && budget->aside + budget->taken + bytes > budget->bytes)
        pthread_cond_wait(&budget->freed, &budget->lock);
    budget->taken += bytes;
    pthread_mutex_unlock(&budget->lock);
}

void ad_budget_set_aside(ad_budget *budget, uint64_t bytes) {
    if (!budget) return;
    pthread_mutex_lock(&budget->lock);
    budget->aside = bytes;
    pthread_mutex_unlock(&budget->lock);
}

void ad_budget_give(ad_budget *budget, uint64_t bytes) {
    if (!budget) return;
    pthread_mutex_lock(&budget->lock);
    budget->taken -= AD_MIN(bytes, budget->taken);
    pthread_cond_broadcast(&budget->freed);
    pthread_mutex_unlock(&budget->lock);
}

void ad_budget_destroy(ad_budget *budget) {
    if (!budget) return;
    pthread_cond_destroy(&budget->freed);
    pthread_mutex_destroy(&budget->lock);
    ad_free(budget);
}
