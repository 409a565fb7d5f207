/* OpenBLAS, which the benchmark compares convolutions with: looked for when it is asked for, since nothing else needs
 * it. */
#ifndef AD_CPU_OPENBLAS_H
#define AD_CPU_OPENBLAS_H

#include "base/base.h"

typedef struct ad_openblas {
    void (*sgemm)(int order, int a_transposed, int b_transposed, int m, int n, int k, float alpha, const float *a,
                  int lda, const float *b, int ldb, float beta, float *c, int ldc);
    int (*get_num_threads)(void);
    void (*set_num_threads)(int count);
    const char *(*get_config)(void); /* "OpenBLAS 0.3.21 NO_LAPACKE ..."; NULL: this one does not tell */
} ad_openblas;

/* The values of CBLAS_ORDER and CBLAS_TRANSPOSE. */
enum { AD_OPENBLAS_ROW_MAJOR = 101, AD_OPENBLAS_NOT_TRANSPOSED = 111 };

/* UNSUPPORTED, with a sentence that names the package, where it cannot be loaded. It stays loaded once it is: its
 * threads cannot be stopped while others may use it. */
adatom_status ad_openblas_load(adatom_context *ctx, ad_openblas *out);
#endif
