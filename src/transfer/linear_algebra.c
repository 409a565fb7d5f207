/* Products, Cholesky's factors and singular values. */
#include "transfer/linear_algebra.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TILE = 4, SUMS = 8, MOST_SWEEPS = 60 };

/* As many numbers beside each other as a tile has columns; the compiler divides them where registers are narrower. */
typedef double lanes __attribute__((vector_size(TILE * sizeof(double)), aligned(sizeof(double))));

/* A tile of the product, TILE columns wide. rows is a constant where this is called, so that the sums stay in
 * registers. */
static inline __attribute__((always_inline)) void tile(const ad_product *p, int i, int j, int rows) {
    const double *a = p->a + (size_t)i * p->a_row, *b = p->b + j;
    lanes sum[TILE] = {{0}}, row;
    for (int k = 0; k < p->inner; k++, a += p->a_inner, b += p->b_inner) {
        memcpy(&row, b, sizeof row);
        for (int r = 0; r < rows; r++) sum[r] += a[(size_t)r * p->a_row] * row;
    }
    for (int r = 0; r < rows; r++) {
        double *c = p->c + (size_t)(i + r) * p->c_row + j;
        memcpy(&row, c, sizeof row);
        row += sum[r];
        memcpy(c, &row, sizeof row);
    }
}

/* The same of one column. */
static inline __attribute__((always_inline)) void column_tile(const ad_product *p, int i, int j, int rows) {
    const double *a = p->a + (size_t)i * p->a_row, *b = p->b + j;
    double sum[TILE] = {0};
    for (int k = 0; k < p->inner; k++, a += p->a_inner, b += p->b_inner)
        for (int r = 0; r < rows; r++) sum[r] += a[(size_t)r * p->a_row] * b[0];
    for (int r = 0; r < rows; r++) p->c[(size_t)(i + r) * p->c_row + (size_t)j] += sum[r];
}

static inline __attribute__((always_inline)) void add_product(const ad_product *p) {
    int i = 0;
    for (; i + TILE <= p->rows; i += TILE) {
        int j = 0;
        for (; j + TILE <= p->columns; j += TILE) tile(p, i, j, TILE);
        for (; j < p->columns; j++) column_tile(p, i, j, TILE);
    }
    for (; i < p->rows; i++) {
        int j = 0;
        for (; j + TILE <= p->columns; j += TILE) tile(p, i, j, 1);
        for (; j < p->columns; j++) column_tile(p, i, j, 1);
    }
}

/* Wider registers change no sum's order, and AVX2 alone rounds each product as the narrow ones do: the bytes are the
 * same on every x86-64 processor. */
#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_product_avx2(const ad_product *p) { add_product(p); }

void ad_add_product(const ad_product *p) {
    if (__builtin_cpu_supports("avx2"))
        add_product_avx2(p);
    else
        add_product(p);
}
#else
void ad_add_product(const ad_product *p) { add_product(p); }
#endif

double ad_dot(size_t n, const double *x, size_t x_step, const double *y, size_t y_step) {
    double sum[SUMS] = {0}; /* one alone would wait for each addition */
    size_t i = 0;
    if (x_step == 1 && y_step == 1) {
        for (; i + SUMS <= n; i += SUMS)
            for (size_t s = 0; s < SUMS; s++) sum[s] += x[i + s] * y[i + s];
    }
    for (; i < n; i++) sum[i % SUMS] += x[i * x_step] * y[i * y_step];
    return ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
}

void ad_add_scaled(size_t n, double factor, const double *x, size_t x_step, double *y, size_t y_step) {
    if (x_step == 1 && y_step == 1) {
        for (size_t i = 0; i < n; i++) y[i] += factor * x[i];
        return;
    }
    for (size_t i = 0; i < n; i++) y[i * y_step] += factor * x[i * x_step];
}

/* Solves L L^T x = b for rows b, in place; a constant number of them, side by side, since one waits for itself. */
static inline __attribute__((always_inline)) void substitute(int n, const double *l, double *b, int rows) {
    const size_t step = (size_t)n;
    for (size_t i = 0; i < step; i++) {
        double rest[TILE];
        for (int r = 0; r < rows; r++) rest[r] = b[(size_t)r * step + i];
        for (size_t k = 0; k < i; k++)
            for (int r = 0; r < rows; r++) rest[r] -= l[i * step + k] * b[(size_t)r * step + k];
        for (int r = 0; r < rows; r++) b[(size_t)r * step + i] = rest[r] / l[i * step + i];
    }
    for (size_t i = step; i-- > 0;) {
        double rest[TILE];
        for (int r = 0; r < rows; r++) rest[r] = b[(size_t)r * step + i];
        for (size_t k = i + 1; k < step; k++)
            for (int r = 0; r < rows; r++) rest[r] -= l[k * step + i] * b[(size_t)r * step + k];
        for (int r = 0; r < rows; r++) b[(size_t)r * step + i] = rest[r] / l[i * step + i];
    }
}

bool ad_solve_positive(int n, double *a, int rows, double *b) {
    for (int i = 0; i < n; i++) {
        double *row = a + (size_t)i * (size_t)n;
        for (int j = 0; j <= i; j++) {
            const double *other = a + (size_t)j * (size_t)n;
            double rest = row[j];
            for (int k = 0; k < j; k++) rest -= row[k] * other[k];
            if (j < i)
                row[j] = rest / other[j];
            else if (rest > 0 && rest <= DBL_MAX)
                row[i] = sqrt(rest);
            else
                return false;
        }
    }
    int r = 0;
    for (; r + TILE <= rows; r += TILE) substitute(n, a, b + (size_t)r * (size_t)n, TILE);
    for (; r < rows; r++) substitute(n, a, b + (size_t)r * (size_t)n, 1);
    return true;
}

/* ---- singular values ---- */
/* A matrix by columns, q[columns][rows], becomes the reflections' vectors, on and below the diagonal, and the triangle
 * [columns][columns], by columns. factors: what each reflection scales its vector by; 0: nothing to reflect. */
static void triangulate(double *q, size_t rows, size_t columns, double *triangle, double *factors) {
    memset(triangle, 0, columns * columns * sizeof *triangle);
    for (size_t k = 0; k < columns; k++) {
        double *v = q + k * rows + k;
        const size_t n = rows - k;
        const double below = ad_dot(n - 1, v + 1, 1, v + 1, 1), norm = sqrt(v[0] * v[0] + below);
        const double diagonal = v[0] > 0 ? -norm : norm;
        for (size_t i = 0; i < k; i++) triangle[k * columns + i] = q[k * rows + i];
        triangle[k * columns + k] = below == 0 ? v[0] : diagonal;
        factors[k] = 0;
        if (below == 0) continue;
        v[0] -= diagonal;
        factors[k] = 2 / (v[0] * v[0] + below);
        for (size_t j = k + 1; j < columns; j++) {
            double *to = q + j * rows + k;
            ad_add_scaled(n, -factors[k] * ad_dot(n, v, 1, to, 1), v, 1, to, 1);
        }
    }
}

/* Rotates pairs of columns until all are orthogonal; false if they do not become so (numbers that are not finite).
 * Where columns have fewer dimensions than there are of them, each sweep leaves some shorter by the factor of rounding,
 * until they count as zeros. */
static bool orthogonalise(double *columns, size_t count) {
    const double enough = DBL_EPSILON * (double)count;
    const double least = 1e-100 * sqrt(ad_dot(count * count, columns, 1, columns, 1));
    for (int sweep = 0; sweep < MOST_SWEEPS; sweep++) {
        bool done = true;
        for (size_t p = 0; p + 1 < count; p++)
            for (size_t q = p + 1; q < count; q++) {
                double *x = columns + p * count, *y = columns + q * count;
                const double xx = ad_dot(count, x, 1, x, 1), yy = ad_dot(count, y, 1, y, 1);
                const double xy = ad_dot(count, x, 1, y, 1);
                if (fabs(xy) <= enough * sqrt(xx) * sqrt(yy)) continue;
                done = false;
                if (sqrt(xx) <= least || sqrt(yy) <= least) {
                    memset(xx < yy ? x : y, 0, count * sizeof *x);
                    continue;
                }
                const double ratio = (yy - xx) / (2 * xy);
                const double tangent = (ratio > 0 ? 1 : -1) / (fabs(ratio) + hypot(1, ratio));
                const double cosine = 1 / hypot(1, tangent), sine = cosine * tangent;
                for (size_t i = 0; i < count; i++) {
                    const double was = x[i];
                    x[i] = cosine * was - sine * y[i];
                    y[i] = sine * was + cosine * y[i];
                }
            }
        if (done) return true;
    }
    return false;
}

/* The columns' lengths, falling, and the columns in that order. */
static void sort_columns(double *columns, size_t count, double *lengths) {
    for (size_t p = 0; p < count; p++) lengths[p] = sqrt(ad_dot(count, columns + p * count, 1, columns + p * count, 1));
    for (size_t p = 0; p < count; p++) {
        size_t longest = p;
        for (size_t q = p + 1; q < count; q++)
            if (lengths[q] > lengths[longest]) longest = q;
        const double length = lengths[p];
        lengths[p] = lengths[longest];
        lengths[longest] = length;
        for (size_t i = 0; i < count; i++) {
            const double number = columns[p * count + i];
            columns[p * count + i] = columns[longest * count + i];
            columns[longest * count + i] = number;
        }
    }
}

adatom_status ad_svd(adatom_context *ctx, double *w, int rows, int columns, bool vectors, double *s) {
    const size_t n = (size_t)rows, m = (size_t)columns;
    adatom_status status = ADATOM_OK;
    double *q = ad_malloc(ctx, n * m, sizeof *q), *triangle = ad_malloc(ctx, m * m, sizeof *triangle);
    double *factors = ad_malloc(ctx, m, sizeof *factors), *column = ad_malloc(ctx, n, sizeof *column);
    if (!q || !triangle || !factors || !column) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < m; j++) q[j * n + i] = w[i * m + j];
    triangulate(q, n, m, triangle, factors);
    if (!orthogonalise(triangle, m))
        AD_TRY(
            ad_fail(ctx, ADATOM_FAILED, "the singular value decomposition of a %d x %d matrix failed", rows, columns));
    sort_columns(triangle, m, s);
    for (size_t j = 0; j < m && vectors; j++) {
        memset(column, 0, n * sizeof *column);
        for (size_t i = 0; i < m && s[j] > 0; i++) column[i] = triangle[j * m + i] / s[j];
        for (size_t k = m; k-- > 0;) {
            const double *v = q + k * n + k;
            if (factors[k] != 0)
                ad_add_scaled(n - k, -factors[k] * ad_dot(n - k, v, 1, column + k, 1), v, 1, column + k, 1);
        }
        for (size_t i = 0; i < n; i++) w[i * m + j] = column[i];
    }
done:
    ad_free(q);
    ad_free(triangle);
    ad_free(factors);
    ad_free(column);
    return status;
}
