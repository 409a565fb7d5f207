/* Checking and timing kernels on a device. */
#ifndef ADATOM_BENCH_H
#define ADATOM_BENCH_H

#include <adatom/device.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One check: an operation, a variant of it, a shape, one kind of operands. Valid during the callback only. */
typedef struct adatom_check_result {
    const char *operation, *variant;
    const char *shape;  /* in words, e.g. "t2 n3 h7 w7 c8 o12 k3 s2 p1 d1 shared-w": tasks, images, sizes, kernel, stride ... */
    const char *data;   /* "integers": equal where sums of products are exact; "reals": within the bound; "repeat": same bytes */
    bool passed;
    const char *detail; /* on failure: tensor, index, got, wanted, bound, seed, command that repeats it; else "" */
} adatom_check_result;

/* Zero-initialised: every case, seed 0, no callback. */
typedef struct adatom_check_params {
    const char *filter;  /* part of "operation/variant/shape"; NULL: all */
    bool quick;          /* only the few small shapes that find most mistakes; a quarter of the time */
    uint64_t seed;       /* of the operands; a case has the same operands whatever else is run */
    void (*report)(void *user, const adatom_check_result *result); /* after each check; NULL: none */
    void *user;
} adatom_check_params;

/* Every operation x variant x shape that this device can run, against double precision [bounds: tests/reference]. params may be
 * NULL. The numbers of checks and of failed ones are written to *checks and *failures (may be NULL), whatever is returned:
 * OK; CHECK_FAILED if a check failed or an operation cannot be run; USAGE if the filter matches nothing; DEVICE_LOST;
 * OUT_OF_MEMORY; INTERRUPTED between two cases. */
ADATOM_API adatom_status adatom_check_device(adatom_device *device, const adatom_check_params *params, int *checks, int *failures);

#ifdef __cplusplus
}
#endif
#endif
