/* Adatom: few-shot adaptation of decomposed convolutional networks on Vulkan devices and CPUs.
 *
 * Objects. Every object belongs to the context it was made with and must be destroyed before it. The caller owns the
 * objects that functions return through `out`. adatom_NOUN_destroy() takes the handle's address and sets the handle to
 * NULL; a NULL handle or address is allowed. adatom_NOUN_describe() fills in a struct and fails only with USAGE, for a
 * struct without a valid size; texts, arrays and objects in that struct belong to the described object and live as long
 * as it does.
 *
 * Threads. A context and all objects made with it are used by one thread at a time; adatom_context_interrupt() alone
 * may be called from any. Contexts are independent of each other: any number of threads may each use one of their own
 * at the same time, also on the same device. Functions without a handle may be called from any thread.
 *
 * Silence. The library never prints, exits, reads the environment or keeps global state. What it has to tell goes to
 * the context's log callback; what went wrong is the text of adatom_context_message().
 *
 * Structs begin with their size, so that they can grow: set it to sizeof of the struct (ADATOM_INIT does, and makes
 * everything else 0). Zero or NULL means the default. An older program's struct is smaller: its missing members are
 * defaults, and no answer is written past its end. A newer program's struct is larger: the members that this library
 * does not know must be 0. USAGE: the size is 0 or one that no struct has, or an unknown member is not 0. The library
 * sets the size of structs that it passes to callbacks or that belong to an object.
 *
 * Arguments. Pointers must not be NULL unless the comment allows it. [a][b] stands for an array of a times b elements
 * in which b is the inner, fastest dimension. `user` is handed unchanged to the callbacks that stand beside it. File
 * names are bytes as the system takes them; other texts are UTF-8.
 *
 * Failure. Every call that can fail returns an adatom_status. Comments name the statuses that are particular to a
 * function. Besides these any call may return USAGE, for a value outside its documented range, and OUT_OF_MEMORY; a
 * call that computes on a device DEVICE_LOST, UNSUPPORTED (the device lacks what the work needs) and FAILED (another
 * error of the driver); a call with a progress callback INTERRUPTED; a call that reads a file IO, or BAD_DATA if the
 * file cannot be opened; a call that writes a file IO. On failure outputs are NULL or 0 unless the comment says
 * otherwise, and the caller owns nothing new. Outputs come last. */
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
/* major << 16 | minor << 8 | patch, so that later versions have larger numbers. */
#define ADATOM_VERSION_NUMBER (ADATOM_VERSION_MAJOR << 16 | ADATOM_VERSION_MINOR << 8 | ADATOM_VERSION_PATCH)
/* Grows when programs have to be changed or compiled again: when a function, member or value is removed or changes its
 * meaning. It stays when something is only added. A program can compare it with adatom_api_version(). */
#define ADATOM_API_VERSION 1

/* The version of the library that runs: "major.minor.patch" (static storage), and the values that ADATOM_VERSION_NUMBER
 * and ADATOM_API_VERSION had when it was compiled. */
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
    /* Called for each message: text is one line without newline, valid during the call. The thread is that of the
     * library call that the message comes from. NULL: messages are dropped. */
    void (*log)(void *user, adatom_log_level level, const char *text);
    void *user;
} adatom_context_params;

/* Details of the progress in ADATOM_PHASE_TRAINING. */
typedef struct adatom_training_progress {
    size_t size;
    int epoch, epochs;     /* the current epoch, from 1, of so many */
    double loss, accuracy; /* means over the pictures (metatrain: queries) of this epoch so far; accuracy 0..1 */
    double validation;     /* accuracy (0..1) on validation episodes, at an epoch's end; < 0: none */
    double seconds;        /* time spent in training, the earlier parts of a resumed run included */
    double images_per_s;   /* training pictures a second since the last report; at the end of an epoch, in the epoch */
    size_t arena_bytes;    /* device memory for parameters, optimiser state, activations and pictures */
    bool streamed;         /* the pictures do not all fit into device memory and are copied there in parts */
    bool epoch_end;        /* this report is the one at the end of an epoch */
    bool past;             /* of an epoch before this run, which goes on from a checkpoint: told again at its start */
} adatom_training_progress;

/* How far a call is. Valid during the callback only. */
typedef struct adatom_progress {
    size_t size;
    bool poll;            /* nothing new: the callback is only asked whether to go on */
    adatom_phase phase;   /* what done and total count */
    uint64_t done, total; /* total 0: not known yet */
    int part, parts;      /* part (from 0) of how many parts, e.g. results of a recipe; parts 0: only one */
    /* EPISODES: mean accuracy (0..1) so far and the half width of its 95 % interval, as in adatom_evaluation_info; NaN
     * while all episodes diverged. 0 in other phases. */
    double mean, ci95;
    const adatom_training_progress *training; /* details in phase TRAINING; NULL in other phases */
    const char *what; /* CHOOSING: the candidate that is being tried, or what is done after that; else NULL */
} adatom_progress;

/* The type of the member `progress` of the params of long calls; NULL: the call reports to nobody. It is called in the
 * thread of the call after each piece of work and, with `poll` set, wherever the call could stop, which may be some
 * thousand times a second. It returns true to go on, false to stop. A call that is to stop returns ADATOM_INTERRUPTED
 * from there, or goes on to its end if it cannot stop any more; it does not ask again, and the next call is not
 * affected. The callback may describe objects; it must start no other call with this context. */
typedef bool (*adatom_progress_callback)(void *user, const adatom_progress *now);

/* Makes a context. params may be NULL. On failure *out is NULL and there is no message. The caller owns *out and
 * destroys it last. */
ADATOM_API adatom_status adatom_context_create(const adatom_context_params *params, adatom_context **out);
ADATOM_API void adatom_context_destroy(adatom_context **context);
/* The sentence that explains why the last call failed; "" after a successful call that does work, and for a NULL
 * context. Valid until the next call with the context. */
ADATOM_API const char *adatom_context_message(const adatom_context *context);
/* Asks the call that is running with this context to stop where it next can, as its progress callback does by returning
 * false. It serves calls that take no callback, other threads and signal handlers. It does nothing if no call runs: the
 * next call is not affected. Async-signal-safe; any thread, as long as the context lives. */
ADATOM_API void adatom_context_interrupt(adatom_context *context);
/* Writes bytes[size] to path in the way in which the library writes all its files: to another name in the same folder,
 * which is renamed to path when everything is on the disk, so that a failure (IO) leaves what was there. A symbolic
 * link is followed; a file that exists keeps its permissions, and is not replaced if it is read-only (IO); a device or
 * pipe is written to directly. */
ADATOM_API adatom_status adatom_write_file(adatom_context *context, const char *path, const void *bytes, size_t size);
/* Checks before long work whether adatom_write_file() could write to path. IO, with the sentence with which writing
 * would fail: the folder is missing or takes no new file, or path is a folder or a read-only file. Nothing stays
 * behind. */
ADATOM_API adatom_status adatom_write_check(adatom_context *context, const char *path);
/* Writes text into out[capacity] in a form that is safe to show on a terminal: control characters, bytes that are not
 * UTF-8 and marks that change the direction of writing become \xNN or \u{NNNN}; everything else stays. Writes only
 * whole characters and a final NUL. Returns how many bytes the whole result needs without the NUL, as snprintf does;
 * out may be NULL if capacity is 0. Messages and log lines of the library are in this form already. */
ADATOM_API size_t adatom_printable(const char *text, char *out, size_t capacity);

#ifdef __cplusplus
}
#endif
#endif
