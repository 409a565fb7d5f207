#include "transfer/factor.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

adatom_status ad_svd(adatom_context *ctx, double *w, int rows, int columns, bool vectors, double *s) {
    double dummy = 0, *v = vectors ? ad_malloc(ctx, (size_t)columns * (size_t)columns, sizeof *v) : NULL;
    if (vectors && !v) return ADATOM_OUT_OF_MEMORY;
    /* 'O': the left vectors overwrite w. */
    const lapack_int info = LAPACKE_dgesdd(LAPACK_ROW_MAJOR, vectors ? 'O' : 'N', rows, columns, w, columns, s, &dummy,
                                           columns, vectors ? v : &dummy, columns);
    ad_free(v);
    return info == 0 ? ADATOM_OK
                     : ad_fail(ctx, ADATOM_FAILED, "the singular value decomposition of a %d x %d matrix failed (%d)",
                               rows, columns, (int)info);
}

/* Column `a` of alpha, normalised and orthogonal to the columns before it; false if nothing is left of it. */
static bool orthonormal(ad_fit *fit, int a) {
    const int pairs = fit->o * fit->c, m = fit->m;
    double *column = fit->alpha + a, before = cblas_dnrm2(pairs, column, m);
    for (int pass = 0; pass < 2; pass++) /* twice is enough [Giraud et al. 2005] */
        for (int b = 0; b < a; b++)
            cblas_daxpy(pairs, -cblas_ddot(pairs, column, m, fit->alpha + b, m), fit->alpha + b, m, column, m);
    const double after = cblas_dnrm2(pairs, column, m);
    if (!(after > 1e-7 * before)) return false;
    cblas_dscal(pairs, 1 / after, column, m);
    return true;
}

static bool used(const ad_fit *fit, int o, int c) {
    for (int l = 0; l < fit->count; l++)
        if (o < fit->layers[l].o && c < fit->layers[l].c) return true;
    return false;
}

static void random_column(ad_fit *fit, int a, uint64_t seed) {
    ad_random random = ad_random_make(seed, AD_STREAM_INIT, (uint32_t)a);
    for (int o = 0; o < fit->o; o++)
        for (int c = 0; c < fit->c; c++)
            fit->alpha[((size_t)o * (size_t)fit->c + (size_t)c) * (size_t)fit->m + (size_t)a] =
                used(fit, o, c) ? (double)ad_random_normal(&random) : 0;
}

/* One layer: the decomposition itself. */
static adatom_status start_single(ad_fit *fit, int *found) {
    const ad_fit_layer *l = &fit->layers[0];
    const int pairs = l->o * l->c, k2 = l->k2, most = AD_MIN(fit->m, AD_MIN(k2, pairs));
    adatom_status status = ADATOM_OK;
    double *u = ad_calloc(fit->ctx, (size_t)AD_MAX(pairs, k2) * (size_t)k2, sizeof *u),
           *s = ad_malloc(fit->ctx, (size_t)k2, sizeof *s);
    if (!u || !s) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    memcpy(u, l->w,
           (size_t)pairs * (size_t)k2 * sizeof *u); /* rows of zeros, where there are too few, change nothing */
    AD_TRY(ad_svd(fit->ctx, u, AD_MAX(pairs, k2), k2, true, s));
    for (*found = 0; *found < most && s[*found] > 1e-12 * s[0]; ++*found)
        cblas_dcopy(pairs, u + *found, k2, fit->alpha + *found, fit->m);
done:
    ad_free(u);
    ad_free(s);
    return status;
}

/* gram = the inner products of the columns of layers a and b over the pairs that both have. */
static void inner_products(const ad_fit_layer *a, const ad_fit_layer *b, double *gram, int ld) {
    const int o = AD_MIN(a->o, b->o), c = AD_MIN(a->c, b->c);
    for (int row = 0; row < o; row++)
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, a->k2, b->k2, c, 1,
                    a->w + (size_t)row * (size_t)(a->c * a->k2), a->k2, b->w + (size_t)row * (size_t)(b->c * b->k2),
                    b->k2, 1, gram, ld);
}

/* The eigenvalues of a symmetric matrix, rising, and the vectors in its columns. */
static adatom_status eigenvectors(adatom_context *ctx, double *matrix, int n, double *values) {
    if (LAPACKE_dsyevd(LAPACK_ROW_MAJOR, 'V', 'U', n, matrix, n, values) == 0) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_FAILED, "the eigenvalues of a %d x %d matrix were not found", n, n);
}

bool ad_fit_equal(const ad_fit *fit) {
    for (int l = 0; l < fit->count; l++)
        if (fit->layers[l].o != fit->o || fit->layers[l].c != fit->c) return false;
    return true;
}

/* More columns, of equal layers, than rows: X X^T = U S^2 U^T. */
static adatom_status start_wide(ad_fit *fit, int *found) {
    const int pairs = fit->o * fit->c;
    adatom_status status = ADATOM_OK;
    double *gram = ad_calloc(fit->ctx, (size_t)pairs * (size_t)pairs, sizeof *gram);
    double *values = ad_malloc(fit->ctx, (size_t)pairs, sizeof *values);
    if (!gram || !values) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int l = 0; l < fit->count; l++)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, pairs, fit->layers[l].k2, 1, fit->layers[l].w,
                    fit->layers[l].k2, 1, gram, pairs);
    AD_TRY(eigenvectors(fit->ctx, gram, pairs, values));
    for (; *found < AD_MIN(fit->m, pairs) && values[pairs - 1 - *found] > 1e-12 * values[pairs - 1]; ++*found)
        cblas_dcopy(pairs, gram + (pairs - 1 - *found), pairs, fit->alpha + *found, fit->m);
done:
    ad_free(gram);
    ad_free(values);
    return status;
}

/* Several: the columns of all layers side by side are too large to keep; their inner products are not. X = U S V^T
 * gives X^T X = V S^2 V^T and U = X V / S. */
static adatom_status start_shared(ad_fit *fit, int *found) {
    int n = 0, at = 0;
    for (int l = 0; l < fit->count; l++) n += fit->layers[l].k2;
    if (n > fit->o * fit->c && ad_fit_equal(fit)) return start_wide(fit, found);
    adatom_status status = ADATOM_OK;
    double *gram = ad_calloc(fit->ctx, (size_t)n * (size_t)n, sizeof *gram),
           *values = ad_malloc(fit->ctx, (size_t)n, sizeof *values);
    if (!gram || !values) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int a = 0; a < fit->count; at += fit->layers[a++].k2)
        for (int b = 0, to = 0; b < fit->count; to += fit->layers[b++].k2)
            inner_products(&fit->layers[a], &fit->layers[b], gram + (size_t)at * (size_t)n + to, n);
    AD_TRY(eigenvectors(fit->ctx, gram, n, values));
    for (int a = 0; a < AD_MIN(fit->m, n) && values[n - 1 - a] > 1e-12 * values[n - 1]; a++) { /* eigenvalues rise */
        at = 0;
        for (int l = 0; l < fit->count; at += fit->layers[l++].k2) {
            const ad_fit_layer *layer = &fit->layers[l];
            for (int row = 0; row < layer->o; row++)
                cblas_dgemv(CblasRowMajor, CblasNoTrans, layer->c, layer->k2, 1,
                            layer->w + (size_t)row * (size_t)(layer->c * layer->k2), layer->k2,
                            gram + (size_t)at * (size_t)n + (n - 1 - a), n, 1,
                            fit->alpha + (size_t)row * (size_t)(fit->c * fit->m) + a, fit->m);
        }
        if (!orthonormal(fit, a)) break;
        *found = a + 1;
    }
done:
    ad_free(gram);
    ad_free(values);
    return status;
}

adatom_status ad_fit_start(ad_fit *fit, uint64_t seed) {
    int found = 0;
    memset(fit->alpha, 0, (size_t)fit->o * (size_t)fit->c * (size_t)fit->m * sizeof *fit->alpha);
    adatom_status status = fit->count == 1 ? start_single(fit, &found) : start_shared(fit, &found);
    for (int a = found; a < fit->m && status == ADATOM_OK; a++) {
        random_column(fit, a, seed);
        /* More directions than pairs of channels cannot all be orthogonal. */
        if (!orthonormal(fit, a)) random_column(fit, a, seed + 1);
    }
    return status;
}

/* Solves X a = b for several rows b (in place): a symmetric, positive definite up to rounding. [n][n], [rows][n]. The
 * ridge keeps solutions of singular systems small. */
static adatom_status solve(adatom_context *ctx, double *a, int n, double *b, int rows) {
    double trace = 0;
    for (int i = 0; i < n; i++) trace += a[i * n + i];
    if (trace == 0) { /* nothing depends on the answer */
        memset(b, 0, (size_t)rows * (size_t)n * sizeof *b);
        return ADATOM_OK;
    }
    for (int i = 0; i < n; i++) a[i * n + i] += 1e-13 * trace;
    /* The rows of a symmetric system are the columns of the same system in the other order. */
    const lapack_int info = LAPACKE_dposv(LAPACK_COL_MAJOR, 'U', n, rows, a, n, b, n);
    return info == 0 ? ADATOM_OK
                     : ad_fail(ctx, ADATOM_FAILED, "a least-squares system of %d unknowns could not be solved (%d)", n,
                               (int)info);
}

adatom_status ad_fit_atoms(ad_fit *fit) {
    const int m = fit->m;
    adatom_status status = ADATOM_OK;
    double *normal = ad_malloc(fit->ctx, (size_t)m * (size_t)m, sizeof *normal), *right = NULL;
    for (int l = 0; l < fit->count && status == ADATOM_OK; l++) {
        const ad_fit_layer *layer = &fit->layers[l];
        const int k2 = layer->k2;
        ad_free(right);
        if (!normal || !(right = ad_calloc(fit->ctx, (size_t)k2 * (size_t)m, sizeof *right))) {
            status = ADATOM_OUT_OF_MEMORY;
            break;
        }
        memset(normal, 0, (size_t)m * (size_t)m * sizeof *normal);
        for (int row = 0; row < layer->o; row++) {
            const double *alpha = fit->alpha + (size_t)row * (size_t)(fit->c * m),
                         *w = layer->w + (size_t)row * (size_t)(layer->c * k2);
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, m, m, layer->c, 1, alpha, m, alpha, m, 1, normal, m);
            cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, k2, m, layer->c, 1, w, k2, alpha, m, 1, right, m);
        }
        status = solve(fit->ctx, normal, m, right, k2);
        for (int i = 0; i < m * k2; i++) layer->psi[i] = right[i % k2 * m + i / k2];
    }
    ad_free(normal);
    ad_free(right);
    return status;
}

/* Pairs of one row o that the same layers have lie between two borders; each such run has one normal matrix. */
static adatom_status row_coefficients(ad_fit *fit, int row, double *normal) {
    const int m = fit->m;
    for (int from = 0, to; from < fit->c; from = to) {
        to = fit->c;
        double *alpha = fit->alpha + ((size_t)row * (size_t)fit->c + (size_t)from) * (size_t)m;
        memset(normal, 0, (size_t)m * (size_t)m * sizeof *normal);
        for (int l = 0; l < fit->count; l++)
            if (row < fit->layers[l].o && from < fit->layers[l].c) to = AD_MIN(to, fit->layers[l].c);
        memset(alpha, 0, (size_t)(to - from) * (size_t)m * sizeof *alpha);
        for (int l = 0; l < fit->count; l++) {
            const ad_fit_layer *layer = &fit->layers[l];
            if (row >= layer->o || from >= layer->c) continue;
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, m, layer->k2, 1, layer->psi, layer->k2, layer->psi,
                        layer->k2, 1, normal, m);
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, to - from, m, layer->k2, 1,
                        layer->w + ((size_t)row * (size_t)layer->c + (size_t)from) * (size_t)layer->k2, layer->k2,
                        layer->psi, layer->k2, 1, alpha, m);
        }
        const adatom_status status = solve(fit->ctx, normal, m, alpha, to - from);
        if (status != ADATOM_OK) return status;
    }
    return ADATOM_OK;
}

adatom_status ad_fit_coefficients(ad_fit *fit) {
    double *normal = ad_malloc(fit->ctx, (size_t)fit->m * (size_t)fit->m, sizeof *normal);
    adatom_status status = normal ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    for (int row = 0; row < fit->o && status == ADATOM_OK; row++) status = row_coefficients(fit, row, normal);
    ad_free(normal);
    return status;
}

void ad_fit_normalise(ad_fit *fit) {
    const int pairs = fit->o * fit->c, m = fit->m;
    int count = 0;
    for (int pair = 0; pair < pairs; pair++) count += used(fit, pair / fit->c, pair % fit->c);
    for (int a = 0; a < m; a++) {
        const double norm = cblas_dnrm2(pairs, fit->alpha + a, m);
        if (norm == 0) continue;
        const double scale = sqrt((double)count / m) / norm;
        cblas_dscal(pairs, scale, fit->alpha + a, m);
        for (int l = 0; l < fit->count; l++)
            cblas_dscal(fit->layers[l].k2, 1 / scale, fit->layers[l].psi + a * fit->layers[l].k2, 1);
    }
}

double ad_fit_error(const ad_fit *fit) {
    double error = 0;
    for (int l = 0; l < fit->count; l++) {
        const ad_fit_layer *layer = &fit->layers[l];
        for (int pair = 0; pair < layer->o * layer->c; pair++) {
            const double *alpha =
                fit->alpha + ((size_t)(pair / layer->c) * (size_t)fit->c + (size_t)(pair % layer->c)) * (size_t)fit->m;
            for (int ij = 0; ij < layer->k2; ij++) {
                double rest = layer->w[(size_t)pair * (size_t)layer->k2 + (size_t)ij];
                for (int a = 0; a < fit->m; a++) rest -= alpha[a] * layer->psi[a * layer->k2 + ij];
                error += rest * rest;
            }
        }
    }
    return error;
}
