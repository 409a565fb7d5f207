/* Kernels as other programs know them: composed, in the order [o][c][k][k]. */
#ifndef AD_TRANSFER_DENSE_H
#define AD_TRANSFER_DENSE_H

#include "net/network.h"

/* Numbers of a convolution's kernel. */
size_t ad_dense_count(const ad_node *node);
/* W = W0 + sum_m alpha[o,c,m] psi[m] (of the groups that o and c are in, where there are groups), whichever of both the
 * node has; out: ad_dense_count numbers. */
void ad_dense_kernel(const adatom_model *model, const ad_node *node, double *out);
/* The same network with these kernels, without decomposition. */
adatom_status ad_model_compose(const adatom_model *model, adatom_model **out);
/* The convolution that adatom_model_layer(index) speaks of; NULL with a message (USAGE) for another layer. */
const ad_node *ad_dense_layer(const adatom_model *model, int index);
#endif
