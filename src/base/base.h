/* The base of all rooms: context, errors, allocation, logging, texts, counter-based random numbers, files. */
#ifndef AD_BASE_H
#define AD_BASE_H

#include <adatom/adatom.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "Adatom needs a little-endian processor: model files, caches and half precision are taken as their bytes lie."
#endif

#define AD_MESSAGE_BYTES 1024
#define AD_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AD_MIN(a, b) ((a) < (b) ? (a) : (b))
#define AD_MAX(a, b) ((a) > (b) ? (a) : (b))

/* A long call of the public interface that is running: the callback that it reports to and asks whether to go on. */
typedef struct ad_call {
    adatom_progress_callback progress; /* NULL: there is none */
    void *user;
    adatom_progress now;
    bool silent; /* the call is part of another call, whose callback is only asked whether to go on */
    int depth;   /* how many calls are nested, this one included; 0: no call runs */
} ad_call;

struct adatom_context {
    adatom_context_params params;
    char message[AD_MESSAGE_BYTES];
    ad_call call;
    atomic_bool interrupted; /* set when the running call is to stop */
};

/* Keeps the formatted sentence, made printable by adatom_printable(), as the context's message and returns status:
 * `return ad_fail(ctx, ADATOM_BAD_DATA, ...)`. ctx NULL: only returns status. */
adatom_status ad_fail(adatom_context *ctx, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
void ad_log(adatom_context *ctx, adatom_log_level level, const char *format, ...) ADATOM_PRINTF(3, 4);
/* These enclose the work of a public function that can be interrupted. progress and user: the callback of its params,
 * or NULL. ad_call_begin() returns the state that ad_call_end() restores, so that calls may nest when the library calls
 * its own public functions. An outermost call clears an interrupt that was meant for an earlier one. A call inside
 * another, without a callback of its own, asks the outer call's callback whether to go on, and reports nothing.
 * ad_call_end() returns status; on success it clears the message, which failures that were dealt with on the way may
 * have left. */
ad_call ad_call_begin(adatom_context *ctx, adatom_progress_callback progress, void *user);
adatom_status ad_call_end(adatom_context *ctx, const ad_call *outer, adatom_status status);
/* Reports to the running call's callback how far the call is. */
void ad_report(adatom_context *ctx, adatom_phase phase, uint64_t done, uint64_t total);
void ad_report_details(adatom_context *ctx, const adatom_progress *now); /* sets the size of what the callback gets */
/* Called wherever the running call can stop: returns ADATOM_INTERRUPTED (with a message) if its callback says so or
 * adatom_context_interrupt() was called, else ADATOM_OK. Only in the thread of the call. */
adatom_status ad_interrupted(adatom_context *ctx);
/* The same without a message. */
bool ad_stopping(adatom_context *ctx);
/* For a public function that cannot be interrupted: returns status, and on success clears the message, as ad_call_end()
 * does. */
adatom_status ad_leave(adatom_context *ctx, adatom_status status);

/* sized.c. Copies the caller's params (NULL: all defaults) into *out, a struct of `size` bytes as this version knows
 * it: what the caller's smaller struct lacks becomes 0, and out's own size is set. Public functions read params only
 * through such copies. USAGE: the caller's struct has no valid size, or has members that this version does not know and
 * that are not 0. New members are appended so that the struct's sizeof grows, since what is padding in an older version
 * must not be a member in a newer one. */
adatom_status ad_params_read(adatom_context *ctx, const char *type, const void *params, void *out, size_t size);
/* Writes an answer into the caller's struct, whose size the caller has set: as much of info as it has room for, and
 * zeros where it is larger. USAGE: no valid size. */
adatom_status ad_info_write(adatom_context *ctx, const char *type, const void *info, size_t size, void *out);
#define AD_PARAMS(ctx, type, params, out) ad_params_read(ctx, #type, params, out, sizeof(type))
#define AD_INFO(ctx, type, info, out) ad_info_write(ctx, #type, info, sizeof(type), out)

/* AD_CHOSEN defines a function that tells whether a value is in a list of adatom/choice.h. ad_choice_refuse()
 * (choice.c) is the failure where it is not. */
#define AD_CHOICE_MATCH(value, text) || chosen == (int)(value)
#define AD_CHOSEN(name, LIST)                                                                                          \
    static inline bool name(int chosen) { return 0 LIST(AD_CHOICE_MATCH); }
adatom_status ad_choice_refuse(adatom_context *ctx, const char *what, int value);
/* The texts of a list in the order of its values, ended by NULL: static const char *const texts[] =
 * {LIST(AD_CHOICE_TEXT) NULL}. */
#define AD_CHOICE_TEXT(value, text) text,
/* Joins such texts, but "default", with commas. */
void ad_choice_join(const char *const *texts, char *out, size_t capacity);

/* Reads the UTF-8 character at `text`: returns its bytes, *point is its code point. 0: there is no whole, well-formed
 * character (a NUL is none). */
size_t ad_utf8(const char *text, uint32_t *point);
/* Cuts an incomplete character off the end of a text that was truncated at some byte. */
void ad_utf8_trim(char *text);

/* Evaluates a status expression; on failure leaves through the function's one `done:` label with `status` set. */
#define AD_TRY(expression)                                                                                             \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != ADATOM_OK) goto done;                                                                            \
    } while (0)

/* All heap memory of the library comes from these functions. It is 64-byte aligned; ad_calloc fills it with zeros, and
 * ad_calloc(ctx, 0, x) is not NULL. When a result is NULL (no memory, or the size overflows size_t) the context's
 * message is set: return ADATOM_OUT_OF_MEMORY then. ctx may be NULL. Free with ad_free, which accepts NULL. */
void *ad_calloc(adatom_context *ctx, size_t count, size_t size);
void *ad_malloc(adatom_context *ctx, size_t count, size_t size);
/* Returns larger memory with the old content, and zeros behind it. On failure the old memory stays valid. */
void *ad_realloc(adatom_context *ctx, void *old, size_t old_count, size_t count, size_t size);
void ad_free(void *memory);
char *ad_strdup(adatom_context *ctx, const char *text);
char *ad_format(adatom_context *ctx, const char *format, ...) ADATOM_PRINTF(2, 3);

/* locale.c: the host program's locale has no effect on the library. Between these two calls the calling thread is in
 * the C locale, so that other libraries, too, write and read numbers with a point. */
void *ad_c_locale_enter(void);
void ad_c_locale_leave(void *before);
/* snprintf() and vsnprintf() in the C locale. Code that writes numbers with fractions uses these (or ad_format,
 * ad_fail, ad_log). */
int ad_print(char *out, size_t size, const char *format, ...) ADATOM_PRINTF(3, 4);
int ad_vprint(char *out, size_t size, const char *format, va_list args) ADATOM_PRINTF(3, 0);
/* These know the letters of ASCII only. In other locales there are more, and in Turkish I is not the capital of i. */
bool ad_is_space(char c);
char ad_lower(char c);
/* Whether two texts, or their first `most` bytes (SIZE_MAX: all), are equal but for case. */
bool ad_same_letters(const char *a, const char *b, size_t most);

/* Philox4x32-10 [Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011]. shaders/lib/philox.glsl computes
 * the same. */
void ad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* A uniform float in [0, 1) of the upper 24 bits, without rounding. */
static inline float ad_uniform(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

/* A stream of Philox numbers keyed by (seed, stream, index), so that its numbers do not depend on how threads share the
 * work. */
typedef struct ad_random {
    uint32_t key[2], counter[4], block[4];
    unsigned used;
} ad_random;
ad_random ad_random_make(uint64_t seed, uint32_t stream, uint32_t index);
uint32_t ad_random_bits(ad_random *random);
/* A uniform integer in [0, bound), unbiased; bound >= 1. */
uint32_t ad_random_below(ad_random *random, uint32_t bound);
float ad_random_uniform(ad_random *random);
/* A standard normal number (Box-Muller, computed in double). */
float ad_random_normal(ad_random *random);

/* The streams, one for each purpose, so that no two purposes share numbers. */
enum {
    AD_STREAM_EPISODE = 1,
    AD_STREAM_INIT,
    AD_STREAM_SHUFFLE,
    AD_STREAM_AUGMENT,
    AD_STREAM_HEAD,
    AD_STREAM_SHAPES,
    AD_STREAM_CHECK,
    AD_STREAM_ADAPTER,
    AD_STREAM_DROP,
    AD_STREAM_MIX
};

/* The 64-bit hash XXH3 of bytes; ad_hash_hex writes it as 16 hexadecimal digits and a NUL. */
uint64_t ad_hash(const void *bytes, size_t size, uint64_t seed);
void ad_hash_hex(uint64_t hash, char out[17]);
/* The same hash of bytes that come in parts. ad_hash_begin(): NULL without memory. ad_hash_end() gives the hash and
 * frees the state; NULL: 0. */
typedef struct ad_hash_state ad_hash_state;
ad_hash_state *ad_hash_begin(adatom_context *ctx, uint64_t seed);
void ad_hash_add(ad_hash_state *state, const void *bytes, size_t size);
uint64_t ad_hash_end(ad_hash_state *state);

double ad_seconds(void); /* monotonic clock, in seconds */
/* Bytes of host memory that this process can still take: what the system has left, but no more than the memory limits
 * of its control groups (containers, batch systems) leave. 0: not known. */
uint64_t ad_available_bytes(void);
/* The same with /proc and /sys below the folder `root`; for tests. */
uint64_t ad_available_bytes_in(const char *root);
/* Writes a size as "3.4 MiB", "12 KiB" or "7 bytes". */
void ad_bytes_text(uint64_t bytes, char out[32]);

/* Writes bytes to a temporary file beside path, syncs it to the disk, and renames it to path, so that the final name
 * never has a partial file. A symbolic link is followed and the file behind it replaced. A file that exists keeps its
 * permissions; if it is read-only, it stays (IO). A device or pipe is written to directly. On failure nothing new is
 * left; temporary files that killed writers of the same path left are removed. Any number of writers may write one path
 * at the same time. */
adatom_status ad_write_file(adatom_context *ctx, const char *path, const void *bytes, size_t size);
/* What adatom_write_check() does, for calls from inside the library. */
adatom_status ad_write_check(adatom_context *ctx, const char *path);
/* ad_write_file() in two steps, for files that belong together: each is complete on the disk before the first one gets
 * its final name. */
typedef struct ad_staged {
    char *target, *temporary; /* the final and the temporary path; temporary NULL: nothing to rename */
    int lock;
    bool renamed; /* ad_write_commit() renamed the file, even if it failed afterwards */
} ad_staged;
adatom_status ad_write_stage(adatom_context *ctx, const char *path, const void *bytes, size_t size, ad_staged *out);
/* The same of a file that lies in memory in parts. */
typedef struct ad_bytes {
    const void *bytes;
    size_t size;
} ad_bytes;
adatom_status ad_write_stage_parts(adatom_context *ctx, const char *path, const ad_bytes *parts, size_t count,
                                   ad_staged *out);
/* Renames the staged file; on failure removes it. path: for messages. */
adatom_status ad_write_commit(adatom_context *ctx, const char *path, ad_staged *staged);
/* Finds the temporary files that killed writers of path left, which the next ad_write_stage() removes. Calls visit with
 * the path of each, until visit returns false. */
adatom_status ad_write_left(adatom_context *ctx, const char *path, bool (*visit)(void *user, const char *name),
                            void *user);
/* Locks a folder against others who lock it: alone false for reading, true for writing. Waits for the lock. Returns the
 * descriptor, whose close() unlocks; -1 if the folder does not exist. */
int ad_lock_folder(adatom_context *ctx, const char *path, bool alone);
/* Removes a staged file; does nothing after a commit or a failure. */
void ad_write_abandon(ad_staged *staged);
/* Reads a whole file of at most max bytes, and appends a NUL that *size does not count; ad_free(*out). */
adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size);
/* The same of a file that takes a while: the running call can stop it. Only in the thread of the call. */
adatom_status ad_read_long_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size);
/* Makes a cache folder that only this user can open, if it is missing. Returns whether its content can be trusted:
 * false, with a warning in the log, if the folder or a link to it belongs to another user (but root), or others may
 * write in it. */
bool ad_cache_folder(adatom_context *ctx, const char *folder);
/* Whether a path does not depend on the current folder. */
bool ad_is_absolute(const char *path);
/* Reads the first bytes of a file into out[size] and returns how many; 0: it cannot be read. */
size_t ad_read_start(const char *path, void *out, size_t size);

/* Plain loops over numbers are compiled once per instruction set and chosen when the program is loaded. Sanitizers
 * cannot run code that early. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(_WIN32) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define AD_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define AD_CLONES
#endif
#endif
