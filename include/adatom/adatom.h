/* Adatom: few-shot adaptation of decomposed convolutional networks on Vulkan devices and CPUs.
 *
 * Objects. Every object belongs to the context it was made with, and is destroyed before it. adatom_NOUN_destroy()
 * takes the handle's address, sets it to NULL and accepts NULL.
 *
 * Threads. A context and all objects made with it are used by one thread at a time; adatom_context_interrupt() alone
 * may be called from any. Contexts know nothing of each other: any number of threads may each use one of their own at
 * the same time, also on the same device. Functions without a handle may be called from any thread.
 *
 * Silence. The library never prints, exits, reads the environment or keeps global state: what it has to say goes to the
 * context's log callback, what went wrong to adatom_context_message().
 *
 * Structs begin with their size, so that they can grow: set it to sizeof of the struct (ADATOM_INIT does, and makes
 * everything else 0). Zero or NULL means the default. Of a struct that an older program passes, which is smaller, the
 * missing members are defaults, and no answer is written past its end; of a larger one, what this library doesn't know
 * must be 0. USAGE: a size of 0, one that no struct can have, or a member beyond this library's that is not 0. Structs
 * that the library passes to callbacks, or that belong to an object, have their size set by the library.
 *
 * Failure. Every call that can fail returns an adatom_status; USAGE also where a value is outside its documented range.
 * On failure outputs are NULL or 0 unless said otherwise, and the caller owns nothing new. Outputs come last. */
#ifndef ADATOM_ADATOM_H
#define ADATOM_ADATOM_H

#include <adatom/choice.h>
#include <adatom/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ADATOM_VERSION_MAJOR 0
#define ADATOM_VERSION_MINOR 1
#define ADATOM_VERSION_PATCH 0
#define ADATOM_VERSION "0.1.0"
/* major << 16 | minor << 8 | patch: later versions have larger numbers. */
#define ADATOM_VERSION_NUMBER (ADATOM_VERSION_MAJOR << 16 | ADATOM_VERSION_MINOR << 8 | ADATOM_VERSION_PATCH)
/* Grows when a program has to be compiled again: a function, member or value was removed or means something else. What
 * is only added leaves it. A program can compare it with adatom_api_version(). */
#define ADATOM_API_VERSION 1

/* Of the library that runs: "major.minor.patch", static; and the two numbers above. */
ADATOM_API const char *adatom_version(void);
ADATOM_API uint32_t adatom_version_number(void);
ADATOM_API uint32_t adatom_api_version(void);

typedef struct adatom_context adatom_context;

typedef enum adatom_log_level {
    ADATOM_LOG_ERROR,
    ADATOM_LOG_WARNING,
    ADATOM_LOG_INFO,
    ADATOM_LOG_DEBUG
} adatom_log_level;

typedef struct adatom_context_params {
    size_t size;
    /* Called for each message, one line without newline; NULL: silence. Called by the thread that is in the call the
     * message comes from. */
    void (*log)(void *user, adatom_log_level level, const char *text);
    void *user;
} adatom_context_params;

/* Details of ADATOM_PHASE_TRAINING. */
typedef struct adatom_training_progress {
    size_t size;
    int epoch, epochs;     /* epoch counts from 1 */
    double loss, accuracy; /* running, this epoch, training pictures; accuracy 0..1 */
    double validation;     /* accuracy of class means on validation episodes after this epoch; < 0: not now */
    double seconds;        /* spent training, the earlier parts of a resumed run included */
    double images_per_s;
    size_t arena_bytes; /* device memory of the arenas: parameters, state, activations, pictures */
    bool streamed;      /* not all pictures fit: the next batches' are copied to the device while it computes */
    bool epoch_end;
} adatom_training_progress;

/* How far a call is. Valid during the callback. */
typedef struct adatom_progress {
    size_t size;
    bool poll;            /* nothing happened since the last time: only asks whether to go on */
    adatom_phase phase;   /* what is counted */
    uint64_t done, total; /* total 0: not known */
    int part, parts;      /* of a call in several parts (results of a recipe), from 0; parts 0: there is only one */
    /* EPISODES: running mean accuracy (0..1) and half width of its 95 % interval, as in adatom_evaluation_info: NaN
     * while all of them diverged. Else 0. */
    double mean, ci95;
    const adatom_training_progress *training; /* TRAINING; else NULL */
} adatom_progress;

/* The member `progress` of the params of every long call, with `user` beside it. Called in the thread of the call after
 * each piece of work, and with `poll` wherever the call could stop, which may be some thousand times a second. false:
 * stop. The call then returns ADATOM_INTERRUPTED from there, or goes on to its end if it cannot stop any more; it asks
 * no further time, and the next call knows nothing of it. The callback may describe objects; it starts no other call
 * with this context. */
typedef bool (*adatom_progress_callback)(void *user, const adatom_progress *now);

/* params may be NULL. On failure *out is NULL, and there is no message. The caller owns *out and destroys it last. */
ADATOM_API adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out);
ADATOM_API void adatom_context_destroy(adatom_context **context);
/* The sentence that explains the last call's failure; "" after one that does work and succeeded. Valid until the next
 * call with the context. */
ADATOM_API const char *adatom_context_message(const adatom_context *context);
/* Asks the call that runs with this context to stop where it next can, as a progress callback does by false: for calls
 * that take no callback, and for other threads and signal handlers. Nothing where no call runs: the next one knows
 * nothing of it. Async-signal-safe; any thread, as long as the context lives. */
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

#ifdef __cplusplus
}
#endif
#endif
