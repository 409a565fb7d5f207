/* Least-squares decompositions of kernels into coefficients and atoms, in double precision (docs/methods.md,
 * "Pretrained kernels"). */
#ifndef AD_TRANSFER_FIT_H
#define AD_TRANSFER_FIT_H

#include "base/base.h"

/* A kernel [o][c][k2], of a layer or a pair of groups, and its atoms [m][k2] to be found. */
typedef struct ad_fit_layer {
    int o, c, k2;
    double *w, *psi;
    double error; /* what ad_fit_error() found last */
} ad_fit_layer;

/* Layers that share coefficients [o][c][m], o and c the largest of theirs; each uses the slice [:o, :c]. */
typedef struct ad_fit {
    adatom_context *ctx;
    ad_fit_layer *layers;
    int count, o, c, m;
    double *alpha;
} ad_fit;

/* Whether every layer has all pairs of channels: then ad_fit_start finds the best coefficients there are. */
bool ad_fit_equal(const ad_fit *fit);
/* Orthonormal coefficients: the leading left singular vectors of the layers' kernels side by side, zero where a layer
 * has no pair. What is missing of m directions is drawn at random (seed) and made orthogonal. */
adatom_status ad_fit_start(ad_fit *fit, uint64_t seed);
/* The best atoms for these coefficients. */
adatom_status ad_fit_atoms(ad_fit *fit);
/* The best coefficients for these atoms. */
adatom_status ad_fit_coefficients(ad_fit *fit);
/* Scales each atom's coefficients to a mean square of 1/m over the pairs in use, and the atoms against it. */
void ad_fit_normalise(ad_fit *fit);
/* Sum over the layers of |W - sum alpha psi|^2. */
double ad_fit_error(const ad_fit *fit);
#endif
