/* Dense linear algebra in double precision, matrices by rows, for the sizes that decompositions meet: products, systems
 * of a few unknowns, singular values of tall matrices, the leading eigenvectors of a symmetric one. Each sum has one
 * order whatever the number of threads, so that the same numbers give the same bytes. */
#ifndef AD_TRANSFER_LINEAR_ALGEBRA_H
#define AD_TRANSFER_LINEAR_ALGEBRA_H

#include "base/base.h"

/* c[i*c_row + j] += sum over k < inner: a[i*a_row + k*a_inner] * b[k*b_inner + j], i < rows, j < columns. */
typedef struct ad_product {
    int rows, columns, inner;
    const double *a, *b;
    size_t a_row, a_inner, b_inner;
    double *c;
    size_t c_row;
} ad_product;
void ad_add_product(const ad_product *product);

/* Sums of products of n numbers; x_step and y_step apart. */
double ad_dot(size_t n, const double *x, size_t x_step, const double *y, size_t y_step);
/* y += factor * x. */
void ad_add_scaled(size_t n, double factor, const double *x, size_t x_step, double *y, size_t y_step);

/* Solves X A = B for several rows b[rows][n], in place, by Cholesky's factors, which overwrite the lower half of A
 * [n][n] (symmetric; the upper half is not looked at). False where A is not positive definite. */
bool ad_solve_positive(int n, double *a, int rows, double *b);

/* Singular values s[columns] of w [rows][columns], rows >= columns, falling, and left vectors in place of w (columns;
 * one whose singular value is 0 is of zeros), if wanted. w is overwritten. Householder's reflections make a triangle of
 * it, whose columns one-sided Jacobi rotations make orthogonal [Demmel and Veselic 1992], which finds small singular
 * values as well as large ones. */
adatom_status ad_svd(adatom_context *ctx, double *w, int rows, int columns, bool vectors, double *s);

/* The `count` largest eigenvalues of a symmetric matrix [n][n], falling, and their vectors, orthonormal, in the rows of
 * vectors [count][n]. Only the lower half of the matrix is looked at; all of it is overwritten. */
adatom_status ad_leading_eigenvectors(adatom_context *ctx, double *matrix, int n, int count, double *values,
                                      double *vectors);
#endif
