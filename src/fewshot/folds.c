/* Which pictures each task of an adapter's estimate leaves out. */
#include "fewshot/adapter.h"

#include <math.h>

enum { LEAVE_ONE_OUT_MOST = 64 };

AD_CHOSEN(is_estimate, ADATOM_ESTIMATE_LIST)

adatom_status ad_choose_folds(adatom_context *ctx, const adatom_dataset *dataset, adatom_fit_params *p, uint64_t seed,
                              int together, int32_t *fold, int *folds) {
    adatom_estimate *kind = &p->estimate;
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    adatom_dataset_describe(dataset, &info);
    if (!is_estimate((int)*kind)) return ad_choice_refuse(ctx, "the estimate", (int)*kind);
    if (*kind == ADATOM_ESTIMATE_DEFAULT)
        *kind = info.images <= LEAVE_ONE_OUT_MOST ? ADATOM_ESTIMATE_LEAVE_ONE_OUT : ADATOM_ESTIMATE_FOLDS;
    if (p->folds < 2 || !(p->holdout > 0 && p->holdout < 1))
        return ad_fail(ctx, ADATOM_USAGE,
                       "an estimate needs two or more folds (not %d) and a held-out part between 0 and 1 (not %g)",
                       p->folds, (double)p->holdout);
    int32_t *order = ad_malloc(ctx, info.images, sizeof *order);
    if (!order) return ADATOM_OUT_OF_MEMORY;
    int next = 0;
    for (int c = 0; c < info.classes; c++) {
        const char *name;
        size_t first, count;
        adatom_dataset_class(dataset, c, &name, &first, &count);
        ad_random random = ad_random_make(seed, AD_STREAM_EPISODE, (uint32_t)c);
        for (size_t i = 0; i < count; i++) order[i] = (int32_t)(first + i);
        for (size_t i = count - 1; i > 0; i--) {
            const size_t k = ad_random_below(&random, (uint32_t)i + 1);
            const int32_t swap = order[i];
            order[i] = order[k];
            order[k] = swap;
        }
        const size_t held = AD_MIN((size_t)ceil((double)p->holdout * (double)count), count - 1);
        for (size_t i = 0; i < count; i++) {
            int32_t *of = &fold[order[i]];
            *of = AD_FOLD_NONE;
            if ((count <= (size_t)together && i + 1 == count) || *kind == ADATOM_ESTIMATE_NONE) continue;
            if (*kind == ADATOM_ESTIMATE_LEAVE_ONE_OUT) *of = next++;
            if (*kind == ADATOM_ESTIMATE_FOLDS) *of = next++ % p->folds;
            if (*kind == ADATOM_ESTIMATE_HOLDOUT && i < held) {
                *of = 0;
                next = 1;
            }
        }
    }
    *folds = *kind == ADATOM_ESTIMATE_FOLDS ? AD_MIN(next, p->folds) : next;
    if (*folds == 0) *kind = ADATOM_ESTIMATE_NONE;
    ad_free(order);
    return ADATOM_OK;
}
