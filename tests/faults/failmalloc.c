/* LD_PRELOAD: allocation number FM_AT fails, counted from the start of the program. FM_COUNT: a file that takes their
 * number at the end. */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_long number;
static long at = -1;
static int on;

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("FM_AT");
    at = text ? atol(text) : -1;
    on = 1;
}

__attribute__((destructor)) static void stop(void) {
    const char *path = getenv("FM_COUNT");
    on = 0;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", atomic_load(&number));
    fclose(file);
}

static int fails(void) {
    if (!on || atomic_fetch_add(&number, 1) != at) return 0;
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return fails() ? NULL : __libc_calloc(count, size); }
void *realloc(void *old, size_t size) { return fails() ? NULL : __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { return fails() ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **out, size_t alignment, size_t size) {
    if (fails()) return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}
