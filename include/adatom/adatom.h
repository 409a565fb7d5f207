/* Adatom: few-shot adaptation of decomposed convolutional networks on Vulkan devices and CPUs.
 *
 * Every object belongs to a context. The library never prints, exits, reads the environment or keeps global state: what
 * it has to say goes to the context's log callback, what went wrong to adatom_context_message().
 * Params structs: zero-initialised means defaults. Outputs come last. adatom_*_destroy() takes the handle's address,
 * sets it to NULL and accepts NULL. A context and the objects made from it are used by one thread at a time, except
 * adatom_context_interrupt(). */
#ifndef ADATOM_ADATOM_H
#define ADATOM_ADATOM_H

#include <adatom/status.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ADATOM_VERSION "0.1.0"

typedef struct adatom_context adatom_context;

typedef enum adatom_log_level {
    ADATOM_LOG_ERROR,
    ADATOM_LOG_WARNING,
    ADATOM_LOG_INFO,
    ADATOM_LOG_DEBUG
} adatom_log_level;

typedef struct adatom_context_params {
    /* Called for each message, one line without newline; may be NULL (silence). Not called from other threads. */
    void (*log)(void *user, adatom_log_level level, const char *text);
    void *user;
} adatom_context_params;

/* params may be NULL. On failure *out is NULL. The caller owns *out and destroys it last. */
ADATOM_API adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out);
ADATOM_API void adatom_context_destroy(adatom_context **context);
/* The sentence that explains the last call's failure; "" after one that does work and succeeded. Valid until the next
 * call with it. */
ADATOM_API const char *adatom_context_message(const adatom_context *context);
/* Asks the call that runs with this context, or if none does, or it ends before it has noticed, the next one that can
 * be interrupted, to stop at the next safe point. It returns ADATOM_INTERRUPTED, and with that the request is used up,
 * as are others made meanwhile: the context and its objects are as usable as before. Async-signal-safe; any thread, as
 * long as the context lives. */
ADATOM_API void adatom_context_interrupt(adatom_context *context);
/* Writes bytes[size] to path as every file of the library is written: under another name in the same folder that is
 * renamed to it when all is on the disk, so that a failure leaves what was there (IO). A symbolic link is followed, a
 * file that is there keeps its permissions, a read-only one is not replaced; a device or pipe is written to. */
ADATOM_API adatom_status adatom_write_file(adatom_context *context, const char *path, const void *bytes, size_t size);
/* Whether adatom_write_file() could begin to write path, for a look before long work: IO, with the sentence that
 * writing would fail with, where the folder is not there or takes no new file, or where path is a folder or a read-only
 * file. Nothing stays behind. */
ADATOM_API adatom_status adatom_write_check(adatom_context *context, const char *path);
/* Writes text into out[capacity] as it may be shown on a terminal: control characters, bytes that are not UTF-8 and
 * marks that change the direction of writing become \xNN or \u{NNNN}; the rest stays. Whole characters only, ended by a
 * NUL. Returns the bytes that all of it needs without the NUL, as snprintf does; capacity may be 0. Messages and log
 * lines of the library are so already. */
ADATOM_API size_t adatom_printable(const char *text, char *out, size_t capacity);
/* Version of the library, "major.minor.patch". Static storage. */
ADATOM_API const char *adatom_version(void);

#ifdef __cplusplus
}
#endif
#endif
