/* Checking and timing kernels on a device. */
#ifndef ADATOM_BENCH_H
#define ADATOM_BENCH_H

#include <adatom/device.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_check_result {
    const char *operation, *variant, *shape; /* shape in words, e.g. "t2 n3 h7 w7 c8 o12 k3 s2 p1" */
    const char *data;                        /* "integers", "reals" or "repeat" */
    bool passed;
    const char *detail;                      /* on failure: tensor, index, got, wanted, bound, seed, command that repeats it */
} adatom_check_result;

typedef struct adatom_check_params {
    const char *filter;  /* part of "operation/variant/shape"; NULL: all */
    bool quick;          /* small shapes only */
    uint64_t seed;
    void (*report)(void *user, const adatom_check_result *result);
    void *user;
} adatom_check_params;

/* Every operation x variant x shape on this device against double precision. CHECK_FAILED if one differs. */
ADATOM_API adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks, int *failures);

#ifdef __cplusplus
}
#endif
#endif
