/* The BLAS of the host, which the CPU engine is measured beside. */
#include "cpu/openblas.h"
#include <adatom/bench.h>

#include <stdio.h>
#include <string.h>

adatom_status adatom_bench_blas(adatom_context *ctx, char *out, size_t capacity) {
    ad_openblas blas;
    if (capacity) out[0] = 0;
    const adatom_status status = ad_openblas_load(ctx, &blas);
    if (status != ADATOM_OK) return ad_leave(ctx, status);
    const char *config = blas.get_config ? blas.get_config() : "OpenBLAS";
    size_t length = strcspn(config, " ");
    if (config[length] == ' ')
        length += 1 + strcspn(config + length + 1, " "); /* the version, before what it was built with */
    snprintf(out, capacity, "%.*s", (int)length, config);
    return ad_leave(ctx, ADATOM_OK);
}
