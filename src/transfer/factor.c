#include "transfer/factor.h"

#include "transfer/linear_algebra.h"

#include <math.h>
#include <string.h>

enum { SIDE = 64, STACKED = 256 };

static double length_of(size_t n, const double *x, size_t step) { return sqrt(ad_dot(n, x, step, x, step)); }

static void scale(size_t n, double factor, double *x, size_t step) {
    for (size_t i = 0; i < n; i++) x[i * step] *= factor;
}

/* Column `a` of alpha, normalised and orthogonal to the columns before it; false if nothing is left of it. */
static bool orthonormal(ad_fit *fit, int a) {
    const size_t pairs = (size_t)(fit->o * fit->c), m = (size_t)fit->m;
    double *column = fit->alpha + a;
    const double before = length_of(pairs, column, m);
    for (int pass = 0; pass < 2; pass++) /* twice is enough [Giraud et al. 2005] */
        for (int b = 0; b < a; b++)
            ad_add_scaled(pairs, -ad_dot(pairs, column, m, fit->alpha + b, m), fit->alpha + b, m, column, m);
    const double after = length_of(pairs, column, m);
    if (!(after > 1e-7 * before)) return false;
    scale(pairs, 1 / after, column, m);
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
        for (int pair = 0; pair < pairs; pair++) fit->alpha[pair * fit->m + *found] = u[pair * k2 + *found];
done:
    ad_free(u);
    ad_free(s);
    return status;
}

/* gram += the inner products of the columns of layers a and b over the pairs that both have. */
static void inner_products(const ad_fit_layer *a, const ad_fit_layer *b, double *gram, int ld) {
    const int o = AD_MIN(a->o, b->o), c = AD_MIN(a->c, b->c);
    for (int row = 0; row < o; row++)
        ad_add_product(&(ad_product){.rows = a->k2,
                                     .columns = b->k2,
                                     .inner = c,
                                     .a = a->w + (size_t)row * (size_t)(a->c * a->k2),
                                     .a_row = 1,
                                     .a_inner = (size_t)a->k2,
                                     .b = b->w + (size_t)row * (size_t)(b->c * b->k2),
                                     .b_inner = (size_t)b->k2,
                                     .c = gram,
                                     .c_row = (size_t)ld});
}

bool ad_fit_equal(const ad_fit *fit) {
    for (int l = 0; l < fit->count; l++)
        if (fit->layers[l].o != fit->o || fit->layers[l].c != fit->c) return false;
    return true;
}

/* gram += X X^T on and below the diagonal; stacked: X^T [count][pairs]. */
static void add_outer_products(double *gram, int pairs, const double *stacked, int count) {
    const int blocks = (pairs + SIDE - 1) / SIDE;
#pragma omp parallel for schedule(dynamic) if (blocks > 1)
    for (int block = blocks - 1; block >= 0; block--) { /* the longest first */
        const int from = block * SIDE, to = AD_MIN(from + SIDE, pairs);
        for (int at = 0; at < to; at += SIDE)
            ad_add_product(&(ad_product){.rows = to - from,
                                         .columns = AD_MIN(SIDE, to - at),
                                         .inner = count,
                                         .a = stacked + from,
                                         .a_row = 1,
                                         .a_inner = (size_t)pairs,
                                         .b = stacked + at,
                                         .b_inner = (size_t)pairs,
                                         .c = gram + (size_t)from * (size_t)pairs + at,
                                         .c_row = (size_t)pairs});
    }
}

/* More columns, of equal layers, than rows: X X^T = U S^2 U^T. */
static adatom_status start_wide(ad_fit *fit, int *found) {
    const int pairs = fit->o * fit->c, wanted = AD_MIN(fit->m, pairs);
    adatom_status status = ADATOM_OK;
    double *gram = ad_calloc(fit->ctx, (size_t)pairs * (size_t)pairs, sizeof *gram);
    double *stacked = ad_malloc(fit->ctx, (size_t)pairs * STACKED, sizeof *stacked);
    double *values = ad_malloc(fit->ctx, (size_t)wanted, sizeof *values);
    double *vectors = ad_malloc(fit->ctx, (size_t)wanted * (size_t)pairs, sizeof *vectors);
    int count = 0;
    if (!gram || !stacked || !values || !vectors) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int l = 0; l < fit->count; l++) {
        const ad_fit_layer *layer = &fit->layers[l];
        for (int ij = 0; ij < layer->k2; ij++) {
            for (int pair = 0; pair < pairs; pair++)
                stacked[(size_t)count * (size_t)pairs + (size_t)pair] =
                    layer->w[(size_t)pair * (size_t)layer->k2 + (size_t)ij];
            if (++count < STACKED) continue;
            add_outer_products(gram, pairs, stacked, count);
            count = 0;
            AD_TRY(ad_interrupted(fit->ctx));
        }
    }
    add_outer_products(gram, pairs, stacked, count);
    AD_TRY(ad_leading_eigenvectors(fit->ctx, gram, pairs, wanted, values, vectors));
    for (; *found < wanted && values[*found] > 1e-12 * values[0]; ++*found)
        for (int pair = 0; pair < pairs; pair++)
            fit->alpha[pair * fit->m + *found] = vectors[(size_t)*found * (size_t)pairs + (size_t)pair];
done:
    ad_free(gram);
    ad_free(stacked);
    ad_free(values);
    ad_free(vectors);
    return status;
}

/* Column `a` of alpha += X v. */
static void combine_columns(ad_fit *fit, int a, const double *v) {
    for (int l = 0; l < fit->count; v += fit->layers[l++].k2) {
        const ad_fit_layer *layer = &fit->layers[l];
        for (int row = 0; row < layer->o; row++)
            for (int c = 0; c < layer->c; c++)
                fit->alpha[((size_t)row * (size_t)fit->c + (size_t)c) * (size_t)fit->m + (size_t)a] +=
                    ad_dot((size_t)layer->k2,
                           layer->w + ((size_t)row * (size_t)layer->c + (size_t)c) * (size_t)layer->k2, 1, v, 1);
    }
}

/* Several: the columns of all layers side by side are too large to keep; their inner products are not. X = U S V^T
 * gives X^T X = V S^2 V^T and U = X V / S. */
static adatom_status start_shared(ad_fit *fit, int *found) {
    int n = 0;
    for (int l = 0; l < fit->count; l++) n += fit->layers[l].k2;
    if (n > fit->o * fit->c && ad_fit_equal(fit)) return start_wide(fit, found);
    const int wanted = AD_MIN(fit->m, n);
    adatom_status status = ADATOM_OK;
    double *gram = ad_calloc(fit->ctx, (size_t)n * (size_t)n, sizeof *gram);
    double *values = ad_malloc(fit->ctx, (size_t)wanted, sizeof *values);
    double *vectors = ad_malloc(fit->ctx, (size_t)wanted * (size_t)n, sizeof *vectors);
    size_t *begins = ad_malloc(fit->ctx, (size_t)fit->count, sizeof *begins); /* of each layer's columns */
    if (!gram || !values || !vectors || !begins) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    begins[0] = 0;
    for (int l = 1; l < fit->count; l++) begins[l] = begins[l - 1] + (size_t)fit->layers[l - 1].k2;
#pragma omp parallel for schedule(dynamic)
    for (int a = fit->count - 1; a >= 0; a--) /* on and below the diagonal; the longest first */
        for (int b = 0; b <= a; b++)
            inner_products(&fit->layers[a], &fit->layers[b], gram + begins[a] * (size_t)n + begins[b], n);
    AD_TRY(ad_leading_eigenvectors(fit->ctx, gram, n, wanted, values, vectors));
    for (int a = 0; a < wanted && values[a] > 1e-12 * values[0]; a++) {
        combine_columns(fit, a, vectors + (size_t)a * (size_t)n);
        if (!orthonormal(fit, a)) break;
        *found = a + 1;
    }
done:
    ad_free(gram);
    ad_free(values);
    ad_free(vectors);
    ad_free(begins);
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
static bool solve(double *a, int n, double *b, int rows) {
    double trace = 0;
    for (int i = 0; i < n; i++) trace += a[i * n + i];
    if (trace == 0) { /* nothing depends on the answer */
        memset(b, 0, (size_t)rows * (size_t)n * sizeof *b);
        return true;
    }
    for (int i = 0; i < n; i++) a[i * n + i] += 1e-13 * trace;
    return ad_solve_positive(n, a, rows, b);
}

static adatom_status unsolvable(ad_fit *fit) {
    return ad_fail(fit->ctx, ADATOM_FAILED, "a least-squares system of %d unknowns could not be solved", fit->m);
}

/* of [rows][m] and [rows][k]: out[i][j] += the sum over rows of a[row][i] b[row][j]. */
static void add_column_products(const double *a, int m, const double *b, int k, int rows, double *out) {
    ad_add_product(&(ad_product){.rows = m,
                                 .columns = k,
                                 .inner = rows,
                                 .a = a,
                                 .a_row = 1,
                                 .a_inner = (size_t)m,
                                 .b = b,
                                 .b_inner = (size_t)k,
                                 .c = out,
                                 .c_row = (size_t)k});
}

/* The best atoms of one layer, of the products of its coefficients, normal [m][m], overwritten. right [k2][m] is for
 * working in. */
static bool layer_atoms(const ad_fit *fit, const ad_fit_layer *layer, double *normal, double *right) {
    const int m = fit->m, k2 = layer->k2;
    memset(right, 0, (size_t)k2 * (size_t)m * sizeof *right);
    for (int row = 0; row < layer->o; row++)
        add_column_products(layer->w + (size_t)row * (size_t)(layer->c * k2), k2,
                            fit->alpha + (size_t)row * (size_t)(fit->c * m), m, layer->c, right);
    const bool solved = solve(normal, m, right, k2);
    for (int i = 0; i < m * k2; i++) layer->psi[i] = right[i % k2 * m + i / k2];
    return solved;
}

/* The first layer that takes the same part of the coefficients as layer l. */
static int like(const ad_fit *fit, int l) {
    int first = 0;
    while (fit->layers[first].o != fit->layers[l].o || fit->layers[first].c != fit->layers[l].c) first++;
    return first;
}

adatom_status ad_fit_atoms(ad_fit *fit) {
    const size_t m = (size_t)fit->m;
    size_t most = m; /* numbers in a row of what a layer works in */
    for (int l = 0; l < fit->count; l++) most = AD_MAX(most, m + (size_t)fit->layers[l].k2);
    const size_t each = most * m;
    double *work = ad_calloc(fit->ctx, (size_t)fit->count, each * sizeof *work);
    if (!work) return ADATOM_OUT_OF_MEMORY;
    int unsolved = 0;
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < fit->count; l++) {
        if (like(fit, l) < l) continue;
        for (int row = 0; row < fit->layers[l].o; row++) {
            const double *alpha = fit->alpha + (size_t)row * (size_t)fit->c * m;
            add_column_products(alpha, fit->m, alpha, fit->m, fit->layers[l].c, work + (size_t)l * each);
        }
    }
    for (int l = 0; l < fit->count; l++)
        if (like(fit, l) < l) memcpy(work + (size_t)l * each, work + (size_t)like(fit, l) * each, m * m * sizeof *work);
#pragma omp parallel for schedule(dynamic) reduction(+ : unsolved)
    for (int l = 0; l < fit->count; l++) {
        double *normal = work + (size_t)l * each;
        unsolved += !layer_atoms(fit, &fit->layers[l], normal, normal + m * m);
    }
    ad_free(work);
    return unsolved ? unsolvable(fit) : ADATOM_OK;
}

/* What the coefficients of all rows need of a layer's atoms: psi psi^T [m][m] and psi^T [k2][m]. */
typedef struct atoms {
    double *products, *turned;
} atoms;

/* Pairs of one row o that the same layers have lie between two borders; each such run has one normal matrix. */
static bool row_coefficients(ad_fit *fit, const atoms *of_layers, int row, double *normal) {
    const int m = fit->m;
    bool solved = true;
    for (int from = 0, to; from < fit->c && solved; from = to) {
        to = fit->c;
        double *alpha = fit->alpha + ((size_t)row * (size_t)fit->c + (size_t)from) * (size_t)m;
        memset(normal, 0, (size_t)m * (size_t)m * sizeof *normal);
        for (int l = 0; l < fit->count; l++)
            if (row < fit->layers[l].o && from < fit->layers[l].c) to = AD_MIN(to, fit->layers[l].c);
        memset(alpha, 0, (size_t)(to - from) * (size_t)m * sizeof *alpha);
        for (int l = 0; l < fit->count; l++) {
            const ad_fit_layer *layer = &fit->layers[l];
            const size_t k2 = (size_t)layer->k2;
            if (row >= layer->o || from >= layer->c) continue;
            for (int i = 0; i < m * m; i++) normal[i] += of_layers[l].products[i];
            ad_add_product(&(ad_product){.rows = to - from,
                                         .columns = m,
                                         .inner = layer->k2,
                                         .a = layer->w + ((size_t)row * (size_t)layer->c + (size_t)from) * k2,
                                         .a_row = k2,
                                         .a_inner = 1,
                                         .b = of_layers[l].turned,
                                         .b_inner = (size_t)m,
                                         .c = alpha,
                                         .c_row = (size_t)m});
        }
        solved = solve(normal, m, alpha, to - from);
    }
    return solved;
}

adatom_status ad_fit_coefficients(ad_fit *fit) {
    const size_t m = (size_t)fit->m, square = m * m;
    adatom_status status = ADATOM_OK;
    atoms *of_layers = ad_calloc(fit->ctx, (size_t)fit->count, sizeof *of_layers);
    double *normals = ad_malloc(fit->ctx, (size_t)fit->o * square, sizeof *normals);
    int unsolved = 0;
    if (!of_layers || !normals) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int l = 0; l < fit->count; l++) {
        const ad_fit_layer *layer = &fit->layers[l];
        atoms *of = &of_layers[l];
        of->products = ad_calloc(fit->ctx, square, sizeof *of->products);
        of->turned = ad_malloc(fit->ctx, (size_t)layer->k2 * m, sizeof *of->turned);
        if (!of->products || !of->turned) AD_TRY(ADATOM_OUT_OF_MEMORY);
        for (int i = 0; i < layer->k2 * fit->m; i++) of->turned[i] = layer->psi[i % fit->m * layer->k2 + i / fit->m];
        add_column_products(of->turned, fit->m, of->turned, fit->m, layer->k2, of->products);
    }
#pragma omp parallel for schedule(dynamic) reduction(+ : unsolved)
    for (int row = 0; row < fit->o; row++)
        unsolved += !row_coefficients(fit, of_layers, row, normals + (size_t)row * square);
    if (unsolved) status = unsolvable(fit);
done:
    for (int l = 0; l < fit->count && of_layers; l++) {
        ad_free(of_layers[l].products);
        ad_free(of_layers[l].turned);
    }
    ad_free(of_layers);
    ad_free(normals);
    return status;
}

void ad_fit_normalise(ad_fit *fit) {
    const int pairs = fit->o * fit->c, m = fit->m;
    int count = 0;
    for (int pair = 0; pair < pairs; pair++) count += used(fit, pair / fit->c, pair % fit->c);
    for (int a = 0; a < m; a++) {
        const double norm = length_of((size_t)pairs, fit->alpha + a, (size_t)m);
        if (norm == 0) continue;
        const double factor = sqrt((double)count / m) / norm;
        scale((size_t)pairs, factor, fit->alpha + a, (size_t)m);
        for (int l = 0; l < fit->count; l++)
            scale((size_t)fit->layers[l].k2, 1 / factor, fit->layers[l].psi + a * fit->layers[l].k2, 1);
    }
}

/* |W - sum alpha psi|^2 of one layer. */
static double layer_error(const ad_fit *fit, const ad_fit_layer *layer) {
    enum { PAIRS = 32, NUMBERS = 32 };
    const int k2 = layer->k2;
    double error = 0;
    for (int pair = 0, pairs; pair < layer->o * layer->c; pair += pairs) {
        const int row = pair / layer->c, c = pair % layer->c;
        pairs = AD_MIN(PAIRS, layer->c - c);
        for (int from = 0; from < k2; from += NUMBERS) {
            const int count = AD_MIN(NUMBERS, k2 - from);
            double sum[PAIRS * NUMBERS] = {0};
            ad_add_product(&(ad_product){
                .rows = pairs,
                .columns = count,
                .inner = fit->m,
                .a = fit->alpha + ((size_t)row * (size_t)fit->c + (size_t)c) * (size_t)fit->m,
                .a_row = (size_t)fit->m,
                .a_inner = 1,
                .b = layer->psi + from,
                .b_inner = (size_t)k2,
                .c = sum,
                .c_row = (size_t)count,
            });
            for (int p = 0; p < pairs; p++)
                for (int ij = 0; ij < count; ij++) {
                    const double rest =
                        layer->w[(size_t)(pair + p) * (size_t)k2 + (size_t)(from + ij)] - sum[p * count + ij];
                    error += rest * rest;
                }
        }
    }
    return error;
}

double ad_fit_error(const ad_fit *fit) {
    double error = 0;
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < fit->count; l++) fit->layers[l].error = layer_error(fit, &fit->layers[l]);
    for (int l = 0; l < fit->count; l++) error += fit->layers[l].error;
    return error;
}
