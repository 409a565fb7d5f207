/* LD_PRELOAD: file operation number FW_AT of the kind FW_MODE and all that follow fail, as on a disk that is full or
 * breaks: enospc, eio and zero (write), fsync, rename, close. Two modes are no faults: short (writes take a part) and
 * eintr (every other one is to be repeated). Only regular files count, and not standard error. FW_COUNT: a file that
 * takes the number of those operations at the end. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t (*next_write)(int, const void *, size_t);
static int (*next_fsync)(int);
static int (*next_rename)(const char *, const char *);
static int (*next_close)(int);
static const char *mode;
static long at;
static atomic_long number;

__attribute__((constructor)) static void start(void) {
    next_write = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    next_fsync = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    next_rename = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    next_close = (int (*)(int))dlsym(RTLD_NEXT, "close");
    const char *text = getenv("FW_AT");
    at = text ? atol(text) : -1;
    mode = getenv("FW_MODE");
}

__attribute__((destructor)) static void stop(void) {
    const char *path = getenv("FW_COUNT");
    const long count = atomic_load(&number);
    mode = NULL;
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file) return;
    fprintf(file, "%ld\n", count);
    fclose(file);
}

static int is(const char *name) { return mode && strcmp(mode, name) == 0; }
/* Counts an operation of the mode; whether it is to fail. */
static int fails(int error, long *which) {
    *which = atomic_fetch_add(&number, 1);
    if (at < 0 || *which < at) return 0;
    errno = error;
    return 1;
}
static int regular(int fd) {
    struct stat info;
    return fd > 2 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    const int full = is("enospc"), broken = is("eio"), zero = is("zero");
    long which;
    if ((!full && !broken && !zero && !is("short") && !is("eintr")) || !regular(fd)) return next_write(fd, bytes, size);
    const int now = fails(full ? ENOSPC : EIO, &which);
    if (is("short")) return next_write(fd, bytes, size > 1 ? size / 2 + 1 : size);
    if (is("eintr") && which % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    if (!now || is("eintr")) return next_write(fd, bytes, size);
    if (full && which == at && size > 10) return next_write(fd, bytes, size / 2); /* the rest of the room */
    errno = full ? ENOSPC : EIO;
    return zero ? 0 : -1;
}

int fsync(int fd) {
    long which;
    return is("fsync") && fails(EIO, &which) ? -1 : next_fsync(fd);
}

int rename(const char *from, const char *to) {
    long which;
    return is("rename") && fails(EIO, &which) ? -1 : next_rename(from, to);
}

int close(int fd) {
    long which;
    const int fail = is("close") && regular(fd) && fails(EIO, &which);
    const int result = next_close(fd);
    if (!fail) return result;
    errno = EIO;
    return -1;
}
