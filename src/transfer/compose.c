/* A decomposed network becomes an ordinary one. */
#include "transfer/dense.h"

adatom_status ad_model_compose(const adatom_model *model, adatom_model **out) {
    const adatom_model_params *from = &model->net.made_from;
    const adatom_model_params params = {.arch = from->arch,
                                        .sharing = ADATOM_SHARING_NONE,
                                        .image_size = from->image_size,
                                        .width = from->width,
                                        .classes = from->classes,
                                        .stem = from->stem,
                                        .seed = from->seed,
                                        .norm_epsilon = from->norm_epsilon,
                                        .padding = from->padding};
    adatom_model *to = NULL;
    adatom_status status;
    *out = NULL;
    AD_TRY(ad_model_create_blank(model->ctx, &params, &to));
    AD_TRY(ad_model_inherit(to, model));
    ad_model_copy_values(to, model);
    for (int i = 0; i < to->net.node_count; i++) { /* the two networks have the same nodes */
        const ad_node *node = &model->net.nodes[i];
        if (node->m == 0) continue;
        const size_t count = ad_dense_count(node);
        const ad_param *kernel = &to->net.params[to->net.nodes[i].kernel];
        double *w = ad_malloc(model->ctx, count, sizeof *w);
        if (!w) AD_TRY(ADATOM_OUT_OF_MEMORY);
        ad_dense_kernel(model, node, w);
        for (size_t e = 0; e < count; e++) to->values[kernel->offset + ad_param_at(kernel, 0, e)] = (float)w[e];
        ad_free(w);
    }
    ad_model_rehash(to);
    *out = to;
    to = NULL;
done:
    adatom_model_destroy(&to);
    return status;
}
