/* The identities that decompositions rest on, in double precision. */
#include "tests/run_suite.h"
#include "transfer/linear_algebra.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE 1e-12
/* Up to rounding beside numbers as large as `whole`, which may be 0. */
#define NEAR(got, want, whole)                                                                                         \
    ck_assert_msg(fabs((got) - (want)) <= CLOSE * (whole), "%s is %.17g, not %.17g", #got, (double)(got),              \
                  (double)(want))

/* Products of matrices have the same bytes on every x86-64 processor, whatever registers it has; on others the compiler
 * may join a multiplication and an addition. */
#ifdef __x86_64__
#define PRODUCT_TOLERANCE 0
#else
#define PRODUCT_TOLERANCE (1e-14 * 25)
#endif

static adatom_context *ctx;
static void setup(void) { ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK); }
static void teardown(void) { adatom_context_destroy(&ctx); }

static double *make(size_t count) {
    double *numbers = calloc(count, sizeof *numbers);
    ck_assert_ptr_nonnull(numbers);
    return numbers;
}

static double *random_numbers(size_t count, uint32_t index) {
    ad_random random = ad_random_make(7, AD_STREAM_CHECK, index);
    double *numbers = make(count);
    for (size_t i = 0; i < count; i++) numbers[i] = (double)ad_random_normal(&random);
    return numbers;
}

static double *copy_of(const double *numbers, size_t count) {
    double *copy = make(count);
    memcpy(copy, numbers, count * sizeof *copy);
    return copy;
}

static double norm_of(const double *numbers, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += numbers[i] * numbers[i];
    return sqrt(sum);
}

/* ---- products ---- */
/* Every size around the tile, operands by rows and by columns, added to what is there. */
START_TEST(products) {
    for (int rows = 1; rows <= 9; rows++)
        for (int columns = 1; columns <= 9; columns++)
            for (int inner = 0; inner <= 5; inner += 5)
                for (int turned = 0; turned < 2; turned++) {
                    double *a = random_numbers((size_t)(rows * 5), 1), *b = random_numbers((size_t)(columns * 5), 2);
                    double *c = random_numbers((size_t)(rows * columns), 3);
                    double *before = copy_of(c, (size_t)(rows * columns));
                    const ad_product product = {.rows = rows,
                                                .columns = columns,
                                                .inner = inner,
                                                .a = a,
                                                .b = b,
                                                .a_row = turned ? 1 : 5,
                                                .a_inner = turned ? (size_t)rows : 1,
                                                .b_inner = (size_t)columns,
                                                .c = c,
                                                .c_row = (size_t)columns};
                    ad_add_product(&product);
                    for (int i = 0; i < rows; i++)
                        for (int j = 0; j < columns; j++) {
                            double want = 0;
                            for (int k = 0; k < inner; k++)
                                want += a[turned ? k * rows + i : i * 5 + k] * b[k * columns + j];
                            want += before[i * columns + j];
                            ck_assert(fabs(c[i * columns + j] - want) <= PRODUCT_TOLERANCE);
                        }
                    free(a);
                    free(b);
                    free(c);
                    free(before);
                }
}
END_TEST

START_TEST(sums_of_products) {
    double *x = random_numbers(200, 1), *y = random_numbers(300, 2);
    for (size_t n = 0; n < 60; n++) {
        double near = 0, apart = 0;
        for (size_t i = 0; i < n; i++) {
            near += x[i] * y[i];
            apart += x[3 * i] * y[5 * i];
        }
        ck_assert_double_eq_tol(ad_dot(n, x, 1, y, 1), near, 1e-13);
        ck_assert_double_eq_tol(ad_dot(n, x, 3, y, 5), apart, 1e-13);
    }
    double *sum = copy_of(y, 300);
    ad_add_scaled(100, 2, x, 1, sum, 1);
    for (int i = 0; i < 300; i++) ck_assert_double_eq(sum[i], i < 100 ? y[i] + 2 * x[i] : y[i]);
    memcpy(sum, y, 300 * sizeof *sum);
    ad_add_scaled(50, -1, x, 4, sum, 3);
    for (int i = 0; i < 300; i++) ck_assert_double_eq(sum[i], i < 150 && i % 3 == 0 ? y[i] - x[i / 3 * 4] : y[i]);
    free(x);
    free(y);
    free(sum);
}
END_TEST

/* X A = B for A = R R^T + 1 and any number of rows. */
START_TEST(positive_systems) {
    static const int sizes[] = {1, 2, 8, 9, 49};
    const int n = sizes[_i];
    for (int rows = 0; rows <= 9; rows++) {
        double *r = random_numbers((size_t)(n * n), 1), *a = make((size_t)(n * n));
        double *x = random_numbers((size_t)(rows * n) + 1, 2), *b = make((size_t)(rows * n) + 1);
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) a[i * n + j] = ad_dot((size_t)n, r + i * n, 1, r + j * n, 1) + (i == j ? 1 : 0);
        for (int row = 0; row < rows; row++)
            for (int j = 0; j < n; j++) b[row * n + j] = ad_dot((size_t)n, x + row * n, 1, a + j * n, 1);
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++) a[i * n + j] = NAN; /* the upper half is not looked at */
        ck_assert(ad_solve_positive(n, a, rows, b));
        for (int i = 0; i < rows * n; i++) ck_assert_double_eq_tol(b[i], x[i], CLOSE * n * n);
        free(r);
        free(a);
        free(x);
        free(b);
    }
}
END_TEST

START_TEST(systems_without_solution) {
    double indefinite[] = {1, 2, 2, 1}, zero[] = {0}, none[] = {NAN}, infinite[] = {INFINITY}, b[] = {1, 1};
    ck_assert(!ad_solve_positive(2, indefinite, 1, b));
    ck_assert(!ad_solve_positive(1, zero, 1, b));
    ck_assert(!ad_solve_positive(1, none, 1, b));
    ck_assert(!ad_solve_positive(1, infinite, 1, b));
}
END_TEST

/* ---- singular values ---- */
/* w = U S V^T: U's columns are orthonormal, U U^T w is w again, and the length of row i of U^T w is s[i]. rank: so many
 * of the values are not 0. */
static void check_svd(const double *w, int rows, int columns, int rank) {
    const size_t n = (size_t)rows, m = (size_t)columns;
    double *u = copy_of(w, n * m), *only = copy_of(w, n * m), *s = make(m), *values = make(m), *seen = make(m * m);
    OK(ad_svd(ctx, u, rows, columns, true, s));
    OK(ad_svd(ctx, only, rows, columns, false, values));
    const double whole = norm_of(w, n * m);
    NEAR(norm_of(s, m), whole, whole);
    for (size_t j = 0; j < m; j++) {
        ck_assert_double_eq(s[j], values[j]);
        ck_assert_double_ge(s[j], 0);
        if (j > 0) ck_assert_double_le(s[j], s[j - 1]);
        if ((int)j < rank) ck_assert_double_gt(s[j], 1e-12 * whole);
        if ((int)j >= rank) ck_assert_double_le(s[j], 1e-14 * whole);
        for (size_t i = 0; i <= j && s[j] > 0; i++)
            ck_assert_double_eq_tol(ad_dot(n, u + i, m, u + j, m), i == j ? 1 : 0, CLOSE);
        for (size_t k = 0; k < m; k++) seen[j * m + k] = ad_dot(n, u + j, m, w + k, m);
        NEAR(norm_of(seen + j * m, m), s[j], whole);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < m; k++) NEAR(ad_dot(m, u + i * m, 1, seen + k, m), w[i * m + k], whole);
    free(u);
    free(only);
    free(s);
    free(values);
    free(seen);
}

static const int shapes[][2] = {{1, 1}, {5, 1}, {9, 9}, {12, 9}, {4096, 9}, {49, 49}, {192, 49}, {300, 25}};

START_TEST(singular_values) {
    double *w = random_numbers((size_t)(shapes[_i][0] * shapes[_i][1]), 1);
    check_svd(w, shapes[_i][0], shapes[_i][1], shapes[_i][1]);
    free(w);
}
END_TEST

/* Sums of fewer products than there are columns; columns that are equal, zero, or a billion times smaller. */
START_TEST(singular_values_of_low_rank) {
    for (int rank = 0; rank <= 4; rank++) {
        const int rows = 40, columns = 9;
        double *w = make((size_t)(rows * columns)), *a = random_numbers((size_t)(rank * rows) + 1, 1);
        double *b = random_numbers((size_t)(rank * columns) + 1, 2);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                for (int r = 0; r < rank; r++) w[i * columns + j] += a[r * rows + i] * b[r * columns + j];
        check_svd(w, rows, columns, rank);
        free(w);
        free(a);
        free(b);
    }
    double *w = random_numbers(40 * 9, 3);
    for (int i = 0; i < 40; i++) {
        w[i * 9 + 4] = w[i * 9 + 1];
        w[i * 9 + 5] = 0;
        w[i * 9 + 6] *= 1e-9;
    }
    check_svd(w, 40, 9, 7);
    free(w);
    double *few = random_numbers(64 * 64, 4); /* of 20 rows, the rest zeros */
    memset(few + 20 * 64, 0, 44 * 64 * sizeof *few);
    check_svd(few, 64, 64, 20);
    free(few);
}
END_TEST

/* Values that are known: small ones are found as exactly as large ones. */
START_TEST(singular_values_that_are_known) {
    double w[6 * 4] = {0}, s[4];
    static const double known[4] = {3, 5e4, 2e-9, 7e-30};
    for (int j = 0; j < 4; j++) w[(j + 1) * 4 + j] = j % 2 ? -known[j] : known[j];
    OK(ad_svd(ctx, w, 6, 4, true, s));
    static const int order[4] = {1, 0, 2, 3};
    for (int j = 0; j < 4; j++) {
        ck_assert_double_eq_tol(s[j], known[order[j]], 1e-14 * known[order[j]]);
        for (int i = 0; i < 6; i++) ck_assert_double_eq_tol(fabs(w[i * 4 + j]), i == order[j] + 1 ? 1 : 0, 1e-14);
    }
}
END_TEST

START_TEST(what_is_not_finite_fails) {
    for (int infinite = 0; infinite < 2; infinite++) {
        double *w = random_numbers(30, 1), s[3], vectors[9];
        w[17] = infinite ? INFINITY : NAN;
        ck_assert_int_eq(ad_svd(ctx, w, 10, 3, true, s), ADATOM_FAILED);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "singular value decomposition of a 10 x 3"));
        free(w);
        double *a = random_numbers(9, 1);
        a[6] = infinite ? INFINITY : NAN;
        ck_assert_int_eq(ad_leading_eigenvectors(ctx, a, 3, 3, s, vectors), ADATOM_FAILED);
        ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "eigenvalues of a 3 x 3"));
        free(a);
    }
}
END_TEST

/* ---- eigenvectors ---- */
/* A v = x v, the vectors are orthonormal, the values fall, and their sum, where all are asked for, is the trace. */
static void check_eigenvectors(const double *matrix, int size, int count) {
    const size_t n = (size_t)size;
    double *a = copy_of(matrix, n * n), *values = make((size_t)count), *vectors = make((size_t)count * n);
    const double whole = norm_of(matrix, n * n);
    double sum = 0, trace = 0;
    for (size_t i = 0; i < n; i++) {
        trace += matrix[i * n + i];
        for (size_t j = i + 1; j < n; j++) a[i * n + j] = NAN; /* the upper half is not looked at */
    }
    OK(ad_leading_eigenvectors(ctx, a, size, count, values, vectors));
    for (size_t k = 0; k < (size_t)count; k++) {
        const double *v = vectors + k * n;
        sum += values[k];
        if (k > 0) ck_assert_double_le(values[k], values[k - 1] + 1e-15 * whole);
        for (size_t other = 0; other <= k; other++)
            ck_assert_double_eq_tol(ad_dot(n, vectors + other * n, 1, v, 1), other == k ? 1 : 0, CLOSE);
        for (size_t i = 0; i < n; i++) NEAR(ad_dot(n, matrix + i * n, 1, v, 1), values[k] * v[i], whole);
    }
    if (count == size) NEAR(sum, trace, whole * sqrt((double)size));
    free(a);
    free(values);
    free(vectors);
}

/* X X^T of a random X [n][rank]. */
static double *gram_of(int n, int rank) {
    double *x = random_numbers((size_t)(n * rank) + 1, 5), *gram = make((size_t)(n * n));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) gram[i * n + j] = ad_dot((size_t)rank, x + i * rank, 1, x + j * rank, 1);
    free(x);
    return gram;
}

START_TEST(eigenvectors) {
    static const int sizes[] = {1, 2, 3, 9, 27, 31, 32, 33, 65, 153};
    const int n = sizes[_i];
    double *gram = gram_of(n, n + 3);
    check_eigenvectors(gram, n, n);
    check_eigenvectors(gram, n, (n + 3) / 4);
    for (int i = 0; i < n * n; i++) gram[i] = -gram[i]; /* nothing is larger than 0 */
    check_eigenvectors(gram, n, n);
    free(gram);
}
END_TEST

/* Of fewer dimensions than rows; one value many times; parts that have nothing to do with each other; nothing. */
START_TEST(eigenvectors_of_equal_values) {
    double *gram = gram_of(70, 5), *diagonal = make(70 * 70), *blocks = make(70 * 70), *zeros = make(70 * 70);
    check_eigenvectors(gram, 70, 70);
    for (int i = 0; i < 70; i++) {
        diagonal[i * 71] = i % 4 ? 2 : -3;
        for (int j = 0; j < 70; j++)
            if (i / 7 == j / 7) blocks[i * 70 + j] = 1 + (i == j) + 1e-13 * (i + j);
    }
    check_eigenvectors(diagonal, 70, 70);
    check_eigenvectors(blocks, 70, 70);
    check_eigenvectors(zeros, 70, 70);
    free(gram);
    free(diagonal);
    free(blocks);
    free(zeros);
}
END_TEST

/* A path's neighbours: value number k of n is 2 cos(k pi / (n + 1)), one of them 0, and no number on the diagonal
 * helps. */
START_TEST(eigenvalues_that_are_known) {
    enum { N = 101 };
    double *a = make(N * N), values[N], *vectors = make(N * N);
    for (int i = 0; i + 1 < N; i++) {
        a[i * N + i + 1] = 1;
        a[(i + 1) * N + i] = 1;
    }
    check_eigenvectors(a, N, N);
    OK(ad_leading_eigenvectors(ctx, a, N, N, values, vectors));
    for (int k = 0; k < N; k++) NEAR(values[k], 2 * cos((k + 1) * acos(-1) / (N + 1)), 2);
    free(a);
    free(vectors);
}
END_TEST

/* As large as groups of channels make it, few vectors wanted; the same bytes by any number of threads. */
START_TEST(eigenvectors_by_any_number_of_threads) {
    enum { N = 700, COUNT = 6 };
    const int before = omp_get_max_threads();
    double *gram = gram_of(N, 300), *values[2], *vectors[2];
    check_eigenvectors(gram, N, COUNT);
    for (int t = 0; t < 2; t++) {
        double *a = copy_of(gram, (size_t)N * N);
        values[t] = make(COUNT);
        vectors[t] = make(COUNT * N);
        omp_set_num_threads(t ? 3 : 1);
        OK(ad_leading_eigenvectors(ctx, a, N, COUNT, values[t], vectors[t]));
        free(a);
    }
    omp_set_num_threads(before);
    ck_assert_mem_eq(values[0], values[1], COUNT * sizeof(double));
    ck_assert_mem_eq(vectors[0], vectors[1], COUNT * N * sizeof(double));
    for (int t = 0; t < 2; t++) {
        free(values[t]);
        free(vectors[t]);
    }
    free(gram);
}
END_TEST

START_TEST(interrupted) {
    double *gram = gram_of(70, 70), values[2], *vectors = make(140);
    adatom_context_interrupt(ctx);
    ck_assert_int_eq(ad_leading_eigenvectors(ctx, gram, 70, 2, values, vectors), ADATOM_INTERRUPTED);
    free(gram);
    free(vectors);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("linear_algebra");
    TCase *tests = tcase_create("identities");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, products);
    tcase_add_test(tests, sums_of_products);
    tcase_add_loop_test(tests, positive_systems, 0, 5);
    tcase_add_test(tests, systems_without_solution);
    tcase_add_loop_test(tests, singular_values, 0, (int)AD_COUNT(shapes));
    tcase_add_test(tests, singular_values_of_low_rank);
    tcase_add_test(tests, singular_values_that_are_known);
    tcase_add_test(tests, what_is_not_finite_fails);
    tcase_add_loop_test(tests, eigenvectors, 0, 10);
    tcase_add_test(tests, eigenvectors_of_equal_values);
    tcase_add_test(tests, eigenvalues_that_are_known);
    tcase_add_test(tests, eigenvectors_by_any_number_of_threads);
    tcase_add_test(tests, interrupted);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
