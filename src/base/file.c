/* Whole files: read at once, written under a temporary name and renamed. */
#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

adatom_status ad_write_file(adatom_context *ctx, const char *path, const void *bytes, size_t size) {
    /* A device or pipe is written to: renaming would replace it by a file, and a folder can only fail. */
    struct stat info;
    bool special = stat(path, &info) == 0 && !S_ISREG(info.st_mode);
    char *temporary = special ? ad_strdup(ctx, path) : ad_format(ctx, "%s.tmp-%ld", path, (long)getpid());
    if (!temporary) return ADATOM_OUT_OF_MEMORY;
    adatom_status status = ADATOM_OK;
    int file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        status = ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(errno));
        goto done;
    }
    for (size_t at = 0; at < size;) {
        ssize_t n = write(file, (const char *)bytes + at, size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(n < 0 ? errno : ENOSPC));
            break;
        }
        at += (size_t)n;
    }
    if (status == ADATOM_OK && fsync(file) != 0 && errno != EINVAL && errno != EROFS)
        status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
    if (close(file) != 0 && status == ADATOM_OK) status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
    if (status == ADATOM_OK && !special && rename(temporary, path) != 0)
        status = ad_fail(ctx, ADATOM_IO, "cannot rename the finished file to '%s': %s", path, strerror(errno));
    if (status != ADATOM_OK && !special) unlink(temporary);
done:
    ad_free(temporary);
    return status;
}

adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size) {
    *out = NULL;
    *size = 0;
    struct stat info;
    FILE *file = fopen(path, "rbe");
    if (!file) return ad_fail(ctx, ADATOM_BAD_DATA, "cannot open '%s': %s", path, strerror(errno));
    adatom_status status = ADATOM_OK;
    if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode))
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is not a regular file", path);
    else if ((uintmax_t)info.st_size > max)
        status = ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is %jd bytes, more than the %zu accepted here", path, (intmax_t)info.st_size, max);
    else if (!(*out = ad_malloc(ctx, (size_t)info.st_size + 1, 1)))
        status = ADATOM_OUT_OF_MEMORY;
    else if ((*size = fread(*out, 1, (size_t)info.st_size, file)) != (size_t)info.st_size)
        status = ad_fail(ctx, ADATOM_IO, "cannot read '%s': %s", path, ferror(file) ? strerror(errno) : "it shrank while being read");
    fclose(file);
    if (status != ADATOM_OK) {
        ad_free(*out);
        *out = NULL;
        *size = 0;
        return status;
    }
    (*out)[*size] = 0;
    return ADATOM_OK;
}
