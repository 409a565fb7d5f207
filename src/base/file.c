/* Reads whole files at once. write.c writes them. */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Reads size bytes in parts; between two of them the running call may stop it if it is interruptible. */
static adatom_status read_parts(adatom_context *ctx, const char *path, FILE *file, char *out, size_t size,
                                bool interruptible) {
    enum { PART = 64 << 20 };
    for (size_t at = 0; at < size;) {
        const size_t part = AD_MIN(size - at, (size_t)PART);
        if (fread(out + at, 1, part, file) != part)
            return ad_fail(ctx, ADATOM_IO, "cannot read '%s': %s", path,
                           ferror(file) ? strerror(errno) : "it shrank while being read");
        at += part;
        if (interruptible && part == PART && ad_interrupted(ctx) != ADATOM_OK) return ADATOM_INTERRUPTED;
    }
    return ADATOM_OK;
}

static adatom_status read_whole(adatom_context *ctx, const char *path, size_t max, bool interruptible, char **out,
                                size_t *size) {
    *out = NULL;
    *size = 0;
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file)
        return ad_fail(ctx, errno == ENOMEM ? ADATOM_OUT_OF_MEMORY : ADATOM_BAD_DATA, "cannot open '%s': %s", path,
                       strerror(errno));
    adatom_status status = ADATOM_OK;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a regular file", path);
    else if ((uintmax_t)info.st_size > max)
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is %jd bytes, more than the %zu accepted here", path,
                         (intmax_t)info.st_size, max);
    else if (!(*out = ad_malloc(ctx, (size_t)info.st_size + 1, 1)))
        status = ADATOM_OUT_OF_MEMORY;
    else
        status = read_parts(ctx, path, file, *out, (size_t)info.st_size, interruptible);
    fclose(file);
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        return status;
    }
    *size = (size_t)info.st_size;
    (*out)[*size] = 0;
    return ADATOM_OK;
}

adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size) {
    return read_whole(ctx, path, max, false, out, size);
}

adatom_status ad_read_long_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size) {
    return read_whole(ctx, path, max, true, out, size);
}

size_t ad_read_start(const char *path, void *out, size_t size) {
    FILE *file = fopen(path, "rbe");
    const size_t read = file ? fread(out, 1, size, file) : 0;
    if (file) fclose(file);
    return read;
}

bool ad_is_absolute(const char *path) {
#ifdef _WIN32
    if (path[0] == '\\' || (path[0] && path[1] == ':')) return true;
#endif
    return path[0] == '/';
}
