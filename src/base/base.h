/* What every room stands on: the context, errors, allocation, logging, counter-based random numbers. */
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

/* A call of the public interface that works for a while: whom it tells how far it is, and who may stop it. */
typedef struct ad_call {
    adatom_progress_callback progress; /* NULL: nobody */
    void *user;
    adatom_progress now;
    bool silent; /* it is part of another call, whose callback is only asked whether to go on */
    int depth;   /* calls this one is part of, itself included; 0: none runs */
} ad_call;

struct adatom_context {
    adatom_context_params params;
    char message[AD_MESSAGE_BYTES];
    ad_call call;
    atomic_bool interrupted; /* the running call is to stop */
};

/* Keeps the formatted sentence, shown as adatom_printable() does, as the context's message and returns status: `return
 * ad_fail(ctx, ADATOM_BAD_DATA, ...)`. */
adatom_status ad_fail(adatom_context *ctx, adatom_status status, const char *format, ...) ADATOM_PRINTF(3, 4);
void ad_log(adatom_context *ctx, adatom_log_level level, const char *format, ...) ADATOM_PRINTF(3, 4);
/* Around the work of a public function that can be interrupted, with the callback its params have (or NULL): begin
 * returns what end restores, so that the library's own calls of such functions nest. A call that begins knows nothing
 * of what interrupted others. Part of another call and without a callback of its own, it asks the other's whether to go
 * on, and reports nothing. end returns status; a call that succeeded leaves no message, whatever failed and was dealt
 * with on its way. */
ad_call ad_call_begin(adatom_context *ctx, adatom_progress_callback progress, void *user);
adatom_status ad_call_end(adatom_context *ctx, const ad_call *outer, adatom_status status);
/* Tells the running call's callback how far it is. */
void ad_report(adatom_context *ctx, adatom_phase phase, uint64_t done, uint64_t total);
void ad_report_details(adatom_context *ctx, const adatom_progress *now); /* its size is set here */
/* A place where the running call can stop: ADATOM_INTERRUPTED (with a message) if its callback says so, or
 * adatom_context_interrupt() was called, else ADATOM_OK. Only in the thread of the call. */
adatom_status ad_interrupted(adatom_context *ctx);
/* The same without a message. */
bool ad_stopping(adatom_context *ctx);
/* As ad_call_end() says of the message, for what cannot be interrupted: returns status. */
adatom_status ad_leave(adatom_context *ctx, adatom_status status);

/* sized.c. A public function copies the caller's params before it looks at them: *out, of `size` bytes, holds what the
 * caller's struct has room for and zeros beyond (params NULL: only zeros), its size set. USAGE: no size, or a tail that
 * this version does not know and that is not 0. New members are appended so that the struct's sizeof grows: padding of
 * an older version is never a member of a newer one. */
adatom_status ad_params_read(adatom_context *ctx, const char *type, const void *params, void *out, size_t size);
/* And it writes of an answer what the caller's struct, whose size the caller set, has room for; zeros beyond its
 * own. */
adatom_status ad_info_write(adatom_context *ctx, const char *type, const void *info, size_t size, void *out);
#define AD_PARAMS(ctx, type, params, out) ad_params_read(ctx, #type, params, out, sizeof(type))
#define AD_INFO(ctx, type, info, out) ad_info_write(ctx, #type, info, sizeof(type), out)

/* choice.c. Whether a value is one of a list of adatom/choice.h, and the sentence where it is not. */
#define AD_CHOICE_MATCH(value, text) || chosen == (int)(value)
#define AD_CHOSEN(name, LIST)                                                                                          \
    static inline bool name(int chosen) { return 0 LIST(AD_CHOICE_MATCH); }
adatom_status ad_choice_refuse(adatom_context *ctx, const char *what, int value);
/* The texts of a list in the order of its values: static const char *const texts[] = {LIST(AD_CHOICE_TEXT) NULL}. */
#define AD_CHOICE_TEXT(value, text) text,
/* Them, without "default", with commas between them. */
void ad_choice_join(const char *const *texts, char *out, size_t capacity);

/* Bytes of the UTF-8 character at `text` and its code point; 0 where none is whole and well-formed (a NUL is none). */
size_t ad_utf8(const char *text, uint32_t *point);
/* Cuts an unfinished character from the end of a text that was cut at some byte. */
void ad_utf8_trim(char *text);

/* Evaluates a status expression; on failure leaves through the function's one `done:` label with `status` set. */
#define AD_TRY(expression)                                                                                             \
    do {                                                                                                               \
        status = (expression);                                                                                         \
        if (status != ADATOM_OK) goto done;                                                                            \
    } while (0)

/* All heap memory of the library comes from these (64-byte aligned, zeroed by ad_calloc). ad_calloc(ctx, 0, x) is not
 * NULL. A NULL result has already set the context's message; return ADATOM_OUT_OF_MEMORY then. Free with ad_free (NULL
 * is fine). Sizes that overflow size_t fail. */
void *ad_calloc(adatom_context *ctx, size_t count, size_t size);
void *ad_malloc(adatom_context *ctx, size_t count, size_t size);
/* Grows; the old content stays valid on failure. */
void *ad_realloc(adatom_context *ctx, void *old, size_t old_count, size_t count, size_t size);
void ad_free(void *memory);
char *ad_strdup(adatom_context *ctx, const char *text);
char *ad_format(adatom_context *ctx, const char *format, ...) ADATOM_PRINTF(2, 3);

/* locale.c: the host program's locale decides nothing here. Between these two calls the calling thread is in the C
 * locale, so that other libraries write and read numbers with a point, too. */
void *ad_c_locale_enter(void);
void ad_c_locale_leave(void *before);
/* snprintf() and vsnprintf() in the C locale: what writes numbers that are not whole uses these (or ad_format, ad_fail,
 * ad_log). */
int ad_print(char *out, size_t size, const char *format, ...) ADATOM_PRINTF(3, 4);
int ad_vprint(char *out, size_t size, const char *format, va_list args) ADATOM_PRINTF(3, 0);
/* Letters are those of ASCII; in other locales there are more, and in Turkish I is not the capital of i. */
bool ad_is_space(char c);
char ad_lower(char c);
/* Whether two texts, or their first `most` bytes, differ in nothing but case. most SIZE_MAX: all of them. */
bool ad_same_letters(const char *a, const char *b, size_t most);

/* Philox4x32-10 [Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, SC 2011]. shaders/lib/philox.glsl is the
 * same. */
void ad_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* Uniform in [0, 1) from 24 bits; exact in float. */
static inline float ad_uniform(uint32_t bits) { return (float)(bits >> 8) * 0x1p-24f; }

/* A stream of Philox numbers keyed by (seed, stream, index): the same for any number of threads. */
typedef struct ad_random {
    uint32_t key[2], counter[4], block[4];
    unsigned used;
} ad_random;
ad_random ad_random_make(uint64_t seed, uint32_t stream, uint32_t index);
uint32_t ad_random_bits(ad_random *random);
/* Uniform integer in [0, bound), unbiased; bound >= 1. */
uint32_t ad_random_below(ad_random *random, uint32_t bound);
float ad_random_uniform(ad_random *random);
/* Standard normal (Box-Muller in double). */
float ad_random_normal(ad_random *random);

/* Streams in use, so that no two purposes share numbers. */
enum {
    AD_STREAM_EPISODE = 1,
    AD_STREAM_INIT,
    AD_STREAM_SHUFFLE,
    AD_STREAM_AUGMENT,
    AD_STREAM_HEAD,
    AD_STREAM_SHAPES,
    AD_STREAM_CHECK,
    AD_STREAM_ADAPTER
};

/* 64-bit hash (XXH3) of bytes; ad_hash_hex writes 16 hex digits and a NUL. */
uint64_t ad_hash(const void *bytes, size_t size, uint64_t seed);
void ad_hash_hex(uint64_t hash, char out[17]);

double ad_seconds(void); /* monotonic clock */
/* Host memory that this process can still have: what the system has left, and no more than the memory limits of its
 * control groups (containers, batch systems) leave; 0: the system does not tell. */
uint64_t ad_available_bytes(void);
/* The same with /proc and /sys below another folder than "/", for tests. */
uint64_t ad_available_bytes_in(const char *root);
/* "3.4 MiB", "12 KiB", "7 bytes". */
void ad_bytes_text(uint64_t bytes, char out[32]);

/* Writes bytes to a temporary name beside path, brings them to the disk, and renames it to path: never a partial file
 * under the final name. Symbolic links are followed, so that the file behind them is replaced; a file that is there
 * keeps its permissions and, if it is read-only, its contents (IO). A device or pipe is written to as it is. On failure
 * nothing is left; what killed writers of the same file left is removed. Any number of writers may write one file at a
 * time. */
adatom_status ad_write_file(adatom_context *ctx, const char *path, const void *bytes, size_t size);
/* adatom_write_check(), for the library's own calls. */
adatom_status ad_write_check(adatom_context *ctx, const char *path);
/* ad_write_file() in two steps, for several files that belong together: each is whole on the disk before the first
 * takes its name. */
typedef struct ad_staged {
    char *target, *temporary; /* NULL: nothing to rename */
    int lock;
    bool renamed; /* by ad_write_commit(), even where that failed later */
} ad_staged;
adatom_status ad_write_stage(adatom_context *ctx, const char *path, const void *bytes, size_t size, ad_staged *out);
/* Renames, or on failure abandons. path: for messages. */
adatom_status ad_write_commit(adatom_context *ctx, const char *path, ad_staged *staged);
/* Calls visit, until it says false, with the name of each file that a writer of path staged and, killed, left; it is
 * removed by the next ad_write_stage(). */
adatom_status ad_write_left(adatom_context *ctx, const char *path, bool (*visit)(void *user, const char *name),
                            void *user);
/* Waits until nobody who locks it writes (alone: or reads) in the folder. close() unlocks; -1 where there is no folder
 * or it has no lock. */
int ad_lock_folder(adatom_context *ctx, const char *path, bool alone);
/* Removes what is staged; nothing to do after a commit or a failure. */
void ad_write_abandon(ad_staged *staged);
/* Reads a whole file (at most max bytes); ad_free(*out). A NUL follows the bytes. */
adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size);
/* The same of a file that takes a while: the running call can stop it. Only in the thread of the call. */
adatom_status ad_read_long_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size);
/* Makes a folder for a cache, for this user only, and says whether it can be believed: false, with a warning, where it
 * belongs to another user (root excepted), is a link of one, or others may write in it. */
bool ad_cache_folder(adatom_context *ctx, const char *folder);
/* The first bytes of a file into out[size]; how many there are, 0 where it cannot be read. */
size_t ad_read_start(const char *path, void *out, size_t size);
#endif
