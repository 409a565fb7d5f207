/* Reads whole files at once. write.c writes them. */
#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

adatom_status ad_read_file(adatom_context *ctx, const char *path, size_t max, char **out, size_t *size) {
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
    else if ((*size = fread(*out, 1, (size_t)info.st_size, file)) != (size_t)info.st_size)
        status = ad_fail(ctx, ADATOM_IO, "cannot read '%s': %s", path,
                         ferror(file) ? strerror(errno) : "it shrank while being read");
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

size_t ad_read_start(const char *path, void *out, size_t size) {
    FILE *file = fopen(path, "rbe");
    const size_t read = file ? fread(out, 1, size, file) : 0;
    if (file) fclose(file);
    return read;
}
