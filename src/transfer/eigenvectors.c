/* The leading eigenvectors of a symmetric matrix: reflections make it tridiagonal, bisection finds eigenvalues of that
 * one by one, inverse iteration their vectors, and the reflections turn these back [Golub and Van Loan, Matrix
 * Computations, chapter 8]. The first step takes 4/3 n^3 operations and is all that counts where few of many vectors
 * are wanted. */
#include "transfer/linear_algebra.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { PANEL = 32, ROWS = 64, MOST_TURNS = 8 };

typedef struct tridiagonal {
    size_t n;
    double *diagonal, *beside; /* beside[i]: between i and i + 1 */
    double *factors;           /* of reflection i, whose vector lies in the matrix right of the diagonal, in row i */
    double norm;               /* no eigenvalue is larger; NaN or infinite where the matrix has such a number */
} tridiagonal;

/* out = a v by the lower half of the rows and columns from `first` on. */
static void multiply_symmetric(const double *a, size_t n, size_t first, const double *v, double *out) {
    memset(out + first, 0, (n - first) * sizeof *out);
    for (size_t i = first; i < n; i++) {
        const double *row = a + i * n;
        out[i] += ad_dot(i - first, row + first, 1, v + first, 1) + row[i] * v[i];
        ad_add_scaled(i - first, v[i], row + first, 1, out + first, 1);
    }
}

/* a -= v w^T + w v^T of a panel's `count` columns, on and below the diagonal from `first` on. left: v, w; right: -w,
 * -v. */
static void update(double *a, size_t n, size_t first, const double *left, const double *right, int count) {
    const int blocks = (int)((n - first + ROWS - 1) / ROWS);
#pragma omp parallel for schedule(dynamic) if (blocks > 2)
    for (int block = blocks - 1; block >= 0; block--) { /* the longest first */
        const size_t from = first + (size_t)block * ROWS, to = AD_MIN(from + ROWS, n);
        ad_add_product(&(ad_product){.rows = (int)(to - from),
                                     .columns = (int)(to - first),
                                     .inner = 2 * count,
                                     .a = left + from,
                                     .a_row = 1,
                                     .a_inner = n,
                                     .b = right + first,
                                     .b_inner = n,
                                     .c = a + from * n + first,
                                     .c_row = n});
    }
}

/* The reflection that leaves of x[n] its first number alone; returns that, and x becomes the reflection's vector. */
static double reflect(double *x, size_t n, double *factor) {
    const double below = ad_dot(n - 1, x + 1, 1, x + 1, 1), first = x[0];
    *factor = 0;
    if (below == 0) return first;
    const double norm = sqrt(first * first + below), left = first > 0 ? -norm : norm;
    x[0] -= left;
    *factor = 2 / (x[0] * x[0] + below);
    return left;
}

/* One column of a panel that begins at column `start`: what the columns before it in the panel do to it, its
 * reflection, and the pair of vectors by which this changes the rest of the matrix. left, right: [2 * PANEL][n], as of
 * update(), v first. */
static void reduce_column(double *a, tridiagonal *t, size_t start, size_t k, double *left, double *right) {
    const size_t n = t->n, rest = k + 1, length = n - rest, before = k - start;
    double *column = a + k * n; /* the row's right half, which nothing else uses, takes the column */
    for (size_t i = rest; i < n; i++) column[i] = a[i * n + k];
    for (size_t p = 0; p < before; p++) {
        const double *v = left + 2 * p * n, *w = v + n;
        column[k] -= 2 * v[k] * w[k];
        ad_add_scaled(length, -w[k], v + rest, 1, column + rest, 1);
        ad_add_scaled(length, -v[k], w + rest, 1, column + rest, 1);
    }
    t->diagonal[k] = column[k];
    t->factors[k] = 0;
    double *v = left + 2 * before * n, *w = v + n, *minus_w = right + 2 * before * n, *minus_v = minus_w + n;
    memset(v, 0, 2 * n * sizeof *v);
    memset(minus_w, 0, 2 * n * sizeof *minus_w);
    if (length == 0) return;
    t->beside[k] = reflect(column + rest, length, &t->factors[k]);
    if (t->factors[k] == 0) return;
    memcpy(v + rest, column + rest, length * sizeof *v);
    multiply_symmetric(a, n, rest, v, w);
    for (size_t p = 0; p < before; p++) {
        const double *pv = left + 2 * p * n, *pw = pv + n;
        const double by_w = ad_dot(length, pw + rest, 1, v + rest, 1), by_v = ad_dot(length, pv + rest, 1, v + rest, 1);
        ad_add_scaled(length, -by_w, pv + rest, 1, w + rest, 1);
        ad_add_scaled(length, -by_v, pw + rest, 1, w + rest, 1);
    }
    const double factor = t->factors[k];
    const double along = 0.5 * factor * factor * ad_dot(length, w + rest, 1, v + rest, 1);
    for (size_t i = rest; i < n; i++) {
        w[i] = factor * w[i] - along * v[i];
        minus_w[i] = -w[i];
        minus_v[i] = -v[i];
    }
}

static adatom_status tridiagonalise(adatom_context *ctx, double *a, tridiagonal *t) {
    const size_t n = t->n;
    double *left = ad_malloc(ctx, 2 * PANEL * n, sizeof *left), *right = ad_malloc(ctx, 2 * PANEL * n, sizeof *right);
    adatom_status status = left && right ? ADATOM_OK : ADATOM_OUT_OF_MEMORY;
    for (size_t start = 0; start < n && status == ADATOM_OK; start += PANEL) {
        const size_t end = AD_MIN(start + PANEL, n);
        status = ad_interrupted(ctx);
        for (size_t k = start; k < end; k++) reduce_column(a, t, start, k, left, right);
        if (end < n) update(a, n, end, left, right, (int)(end - start));
    }
    t->norm = 0;
    for (size_t i = 0; i < n; i++) {
        const double around = (i > 0 ? fabs(t->beside[i - 1]) : 0) + (i + 1 < n ? fabs(t->beside[i]) : 0);
        const double reach = fabs(t->diagonal[i]) + around; /* Gershgorin's circles */
        if (!(reach <= t->norm) && !isnan(t->norm)) t->norm = reach;
    }
    ad_free(left);
    ad_free(right);
    return status;
}

/* How many eigenvalues are larger than x: the signs of the pivots of T - x [Sylvester's law of inertia]. */
static size_t larger(const tridiagonal *t, double x) {
    const double least = DBL_EPSILON * t->norm * DBL_EPSILON;
    double pivot = 1;
    size_t count = 0;
    for (size_t i = 0; i < t->n; i++) {
        pivot = t->diagonal[i] - x - (i > 0 ? t->beside[i - 1] * (t->beside[i - 1] / pivot) : 0);
        if (fabs(pivot) < least) pivot = -least;
        count += pivot > 0;
    }
    return count;
}

/* Eigenvalue number k, from 0 for the largest. */
static double eigenvalue(const tridiagonal *t, size_t k) {
    double low = -t->norm, high = t->norm;
    while (high - low > DBL_EPSILON / 4 * t->norm) {
        const double middle = low + (high - low) / 2;
        if (!(middle > low && middle < high)) break;
        if (larger(t, middle) > k)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

/* Solves (T - x) y = y in place, by elimination that takes the larger of two pivots. work: [3][n]. */
static void solve_shifted(const tridiagonal *t, double x, double *y, double *work) {
    const size_t n = t->n;
    double *pivots = work, *above = work + n, *second = work + 2 * n; /* of the triangle's three diagonals */
    const double least = DBL_EPSILON * t->norm;
    double pivot = t->diagonal[0] - x, next = n > 1 ? t->beside[0] : 0;
    for (size_t i = 0; i + 1 < n; i++) {
        const double below = t->beside[i], diagonal = t->diagonal[i + 1] - x, beyond = i + 2 < n ? t->beside[i + 1] : 0;
        if (fabs(pivot) >= fabs(below)) {
            if (fabs(pivot) < least) pivot = least;
            const double factor = below / pivot;
            pivots[i] = pivot;
            above[i] = next;
            second[i] = 0;
            y[i + 1] -= factor * y[i];
            pivot = diagonal - factor * next;
            next = beyond;
        } else {
            const double factor = pivot / below, was = y[i];
            pivots[i] = below;
            above[i] = diagonal;
            second[i] = beyond;
            y[i] = y[i + 1];
            y[i + 1] = was - factor * y[i];
            pivot = next - factor * diagonal;
            next = -factor * beyond;
        }
    }
    pivots[n - 1] = fabs(pivot) < least ? least : pivot;
    above[n - 1] = second[n - 1] = 0;
    for (size_t i = n; i-- > 0;) {
        if (i + 1 < n) y[i] -= above[i] * y[i + 1];
        if (i + 2 < n) y[i] -= second[i] * y[i + 2];
        y[i] /= pivots[i];
    }
}

/* Length 1, orthogonal to the `before` vectors before it. */
static void make_orthonormal(const double *vectors, size_t n, size_t before, double *v) {
    for (int pass = 0; pass < 2; pass++) { /* twice is enough [Giraud et al. 2005] */
        double most = 0;
        for (size_t i = 0; i < n; i++) most = fmax(most, fabs(v[i]));
        for (size_t i = 0; i < n && most > 0; i++) v[i] /= most;
        for (size_t p = 0; p < before; p++)
            ad_add_scaled(n, -ad_dot(n, vectors + p * n, 1, v, 1), vectors + p * n, 1, v, 1);
        const double length = sqrt(ad_dot(n, v, 1, v, 1));
        for (size_t i = 0; i < n; i++) v[i] /= length;
    }
}

/* |T v - x v| */
static double residual(const tridiagonal *t, double x, const double *v) {
    double sum = 0;
    for (size_t i = 0; i < t->n; i++) {
        double rest = (t->diagonal[i] - x) * v[i];
        if (i > 0) rest += t->beside[i - 1] * v[i - 1];
        if (i + 1 < t->n) rest += t->beside[i] * v[i + 1];
        sum += rest * rest;
    }
    return sqrt(sum);
}

/* Vector number k of the tridiagonal matrix, those before it found; false if none is. */
static bool find_vector(const tridiagonal *t, size_t k, double value, double *vectors, double *work) {
    const double enough = 4 * DBL_EPSILON * sqrt((double)t->n) * t->norm;
    double *v = vectors + k * t->n;
    ad_random random =
        ad_random_make(k, AD_STREAM_INIT, 0); /* any direction that is not orthogonal to the one sought */
    for (size_t i = 0; i < t->n; i++) v[i] = (double)ad_random_normal(&random);
    make_orthonormal(vectors, t->n, k, v);
    for (int turn = 0; turn < MOST_TURNS; turn++) {
        solve_shifted(t, value, v, work);
        make_orthonormal(vectors, t->n, k, v);
        if (turn > 0 && residual(t, value, v) <= enough) return true;
    }
    return residual(t, value, v) <= 64 * enough;
}

/* From the tridiagonal matrix's vector to that of the matrix it was made of. */
static void turn_back(const double *a, const tridiagonal *t, double *v) {
    for (size_t k = t->n - 1; k-- > 0;) {
        const double *u = a + k * t->n + k + 1;
        const size_t length = t->n - k - 1;
        if (t->factors[k] != 0)
            ad_add_scaled(length, -t->factors[k] * ad_dot(length, u, 1, v + k + 1, 1), u, 1, v + k + 1, 1);
    }
}

adatom_status ad_leading_eigenvectors(adatom_context *ctx, double *matrix, int n, int count, double *values,
                                      double *vectors) {
    tridiagonal t = {.n = (size_t)n};
    adatom_status status = ADATOM_OK;
    double *work = ad_malloc(ctx, 6 * t.n, sizeof *work);
    if (!work) return ADATOM_OUT_OF_MEMORY;
    t.diagonal = work;
    t.beside = work + t.n;
    t.factors = work + 2 * t.n;
    AD_TRY(tridiagonalise(ctx, matrix, &t));
    memset(vectors, 0, (size_t)count * t.n * sizeof *vectors);
    for (size_t k = 0; k < (size_t)count; k++) {
        double *v = vectors + k * t.n;
        values[k] = 0;
        v[k] = 1;
        if (t.norm == 0) continue; /* of a matrix of zeros every vector is one */
        const bool finite = isfinite(t.norm);
        if (finite) values[k] = eigenvalue(&t, k);
        if (!finite || !find_vector(&t, k, values[k], vectors, work + 3 * t.n))
            AD_TRY(ad_fail(ctx, ADATOM_FAILED, "the eigenvalues of a %d x %d matrix were not found", n, n));
    }
    for (size_t k = 0; k < (size_t)count && t.norm > 0; k++) turn_back(matrix, &t, vectors + k * t.n);
done:
    ad_free(work);
    return status;
}
