/* The status codes that calls return. The sentence on what went wrong (which file, tensor or line) is kept in the
 * context: adatom_context_message(). */
#ifndef ADATOM_STATUS_H
#define ADATOM_STATUS_H

#include <adatom/export.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(NAME, exit code of the command line, text) */
#define ADATOM_STATUS_LIST(X)                                                                                          \
    X(OK, 0, "success")                                                                                                \
    X(FAILED, 1, "failed")                                                                                             \
    X(OUT_OF_MEMORY, 1, "out of memory")                                                                               \
    X(IO, 1, "cannot read or write")                                                                                   \
    X(USAGE, 2, "invalid argument")                                                                                    \
    X(NO_DEVICE, 3, "no usable device")                                                                                \
    X(UNSUPPORTED, 3, "not supported by this device or build")                                                         \
    X(DEVICE_LOST, 1, "the device was lost")                                                                           \
    X(BAD_DATA, 4, "bad or missing data")                                                                              \
    X(CHECK_FAILED, 5, "a check failed")                                                                               \
    X(INTERRUPTED, 130, "interrupted")

typedef enum adatom_status {
#define ADATOM_X(name, code, text) ADATOM_##name,
    ADATOM_STATUS_LIST(ADATOM_X)
#undef ADATOM_X
        ADATOM_STATUS_COUNT
} adatom_status;

/* The name: "OK", "BAD_DATA", ...; "UNKNOWN" for a value outside the list. Static storage. */
ADATOM_API const char *adatom_status_name(adatom_status status);
/* A short English phrase, the list's text; "unknown" for a value outside the list. Static storage. */
ADATOM_API const char *adatom_status_text(adatom_status status);
/* The exit code that the command line gives for the status: 0, 1, 2, 3, 4, 5 or 130; 1 for a value outside the list. */
ADATOM_API int adatom_status_exit_code(adatom_status status);

#ifdef __cplusplus
}
#endif
#endif
