/* Writes whole files: beside their targets, under names that nobody can foresee, and renamed when they are complete. */
#include "base/base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* A temporary file is called TARGET.tmp-RANDOM. Its writer keeps it locked, so that files that killed writers left can
 * be told from those that are being written. */
#define MARK ".tmp-"
enum { RANDOM_DIGITS = 16, MOST_LINKS = 40, MOST_TRIES = 100 };

static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* The path of a path's folder; ad_free(). NULL: out of memory. */
static char *folder_of(adatom_context *ctx, const char *path) {
    const size_t length = folder_length(path);
    return length ? ad_format(ctx, "%.*s", (int)length, path) : ad_strdup(ctx, ".");
}

/* Follows symbolic links to the name that they lead to, whether or not that exists; ad_free(*out). *open_file: a link
 * below /proc, which /dev/stdout leads to, stands for an open file. That file is written to like a pipe, since whoever
 * reads it would not see a new file of the same name. */
static adatom_status resolve(adatom_context *ctx, const char *path, char **out, bool *open_file) {
    char link[PATH_MAX];
    struct stat info;
    *open_file = false;
    if (!(*out = ad_strdup(ctx, path))) return ADATOM_OUT_OF_MEMORY;
    for (int i = 0; lstat(*out, &info) == 0 && S_ISLNK(info.st_mode); i++) {
        const ssize_t length = readlink(*out, link, sizeof link - 1);
        if (i == MOST_LINKS || length < 0)
            return ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(length < 0 ? errno : ELOOP));
        link[length] = 0;
        *open_file |= strncmp(*out, "/proc/", sizeof "/proc/" - 1) == 0;
        char *next = ad_is_absolute(link) ? ad_strdup(ctx, link)
                                          : ad_format(ctx, "%.*s%s", (int)folder_length(*out), *out, link);
        if (!next) return ADATOM_OUT_OF_MEMORY;
        ad_free(*out);
        *out = next;
    }
    return ADATOM_OK;
}

/* How many bytes of the target's name fit into a temporary name. */
static size_t stem_length(const char *last) { return AD_MIN(strlen(last), NAME_MAX - sizeof MARK + 1 - RANDOM_DIGITS); }

adatom_status ad_write_left(adatom_context *ctx, const char *path, bool (*visit)(void *user, const char *name),
                            void *user) {
    char *target = NULL, *folder = NULL;
    DIR *directory = NULL;
    bool open_file = false;
    adatom_status status = ADATOM_OK;
    AD_TRY(resolve(ctx, path, &target, &open_file));
    if (!(folder = folder_of(ctx, target))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    const char *last = target + folder_length(target);
    const size_t stem = stem_length(last), length = stem + sizeof MARK - 1 + RANDOM_DIGITS;
    directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *name = entry->d_name, *digits = name + stem + sizeof MARK - 1;
        struct stat info;
        if (strlen(name) != length || strncmp(name, last, stem) != 0 ||
            strncmp(name + stem, MARK, sizeof MARK - 1) != 0 || strspn(digits, "0123456789abcdef") != RANDOM_DIGITS)
            continue;
        const int file = openat(dirfd(directory), name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        bool more = true;
        if (file < 0) continue;
        if (fstat(file, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
            flock(file, LOCK_EX | LOCK_NB) == 0) {
            char *whole = ad_format(ctx, "%.*s%s", (int)folder_length(target), target, name);
            if (whole) more = visit(user, whole);
            ad_free(whole);
        }
        close(file);
        if (!more) break;
    }
done:
    if (directory) closedir(directory);
    ad_free(folder);
    ad_free(target);
    return status;
}

static bool remove_left(void *user, const char *name) {
    (void)user;
    unlink(name);
    return true;
}

static int open_to_lock(adatom_context *ctx, const char *path) {
#ifdef _WIN32 /* where folders cannot be locked: a file in it that vanishes with the last who has it open */
    char *name = ad_format(ctx, "%s/.adatom-lock", path);
    const int file = name ? open(name, O_RDWR | O_CREAT | O_TEMPORARY | O_CLOEXEC, 0666) : -1;
    ad_free(name);
    return file;
#else
    (void)ctx;
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
#endif
}

int ad_lock_folder(adatom_context *ctx, const char *path, bool alone) {
    const int folder = open_to_lock(ctx, path);
    while (folder >= 0 && flock(folder, alone ? LOCK_EX : LOCK_SH) != 0 && errno == EINTR &&
           ad_interrupted(ctx) == ADATOM_OK)
        continue;
    return folder;
}

/* Creates and locks a temporary file. mode: its permissions until it is complete. */
static adatom_status create_temporary(adatom_context *ctx, const char *path, ad_staged *staged, mode_t mode, int *out) {
    const char *last = staged->target + folder_length(staged->target);
    const int length = (int)(last - staged->target) + (int)stem_length(last);
    int error = EEXIST;
    for (int i = 0; i < MOST_TRIES; i++) {
        struct stat info;
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
            error = errno;
            break;
        }
        ad_free(staged->temporary);
        staged->temporary = ad_format(ctx, "%.*s" MARK "%016llx", length, staged->target, (unsigned long long)number);
        if (!staged->temporary) return ADATOM_OUT_OF_MEMORY;
        *out = open(staged->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
        if (*out >= 0) {
            /* Between open() and flock() another writer may have removed the file as a stale one. On file systems
             * without locks stale files stay. */
            const bool ours = flock(*out, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
            if (ours && fstat(*out, &info) == 0 && info.st_nlink > 0) return ADATOM_OK;
            close(*out);
            continue;
        }
        if ((error = errno) != EEXIST && error != EINTR) break;
    }
    ad_free(staged->temporary);
    staged->temporary = NULL;
    return ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(error));
}

static adatom_status write_all(adatom_context *ctx, const char *path, int file, const ad_bytes *parts, size_t count) {
    for (size_t k = 0; k < count; k++)
        for (size_t at = 0; at < parts[k].size;) {
            const ssize_t n = write(file, (const char *)parts[k].bytes + at, parts[k].size - at);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(n < 0 ? errno : ENOSPC));
            at += (size_t)n;
        }
    if (fsync(file) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
}

/* Writes to a device or pipe directly: renaming would replace it by a file. For a folder open() fails. */
static adatom_status write_special(adatom_context *ctx, const char *path, const ad_bytes *parts, size_t count) {
    const int file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (file < 0) return ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(errno));
    adatom_status status = write_all(ctx, path, file, parts, count);
    if (close(file) != 0 && status == ADATOM_OK)
        status = ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno));
    return status;
}

/* Gives the new file the owner and permissions of the file that it replaces, as far as this user may. */
static bool take_mode(int file, const struct stat *old) {
    struct stat new;
    if (fstat(file, &new) != 0) return false;
    mode_t mode = old->st_mode & 0777;
    if ((new.st_uid != old->st_uid || new.st_gid != old->st_gid) && fchown(file, old->st_uid, old->st_gid) != 0 &&
        fchown(file, (uid_t)-1, old->st_gid) != 0)
        mode &= (mode_t)~070; /* another group does not get the old group's permissions */
    return fchmod(file, mode) == 0;
}

static adatom_status check_read_only(adatom_context *ctx, const char *path, const struct stat *old) {
    if (old->st_mode & 0222) return ADATOM_OK;
    return ad_fail(ctx, ADATOM_IO, "cannot write '%s': it is read-only; change its permissions or choose another name",
                   path);
}

adatom_status ad_write_check(adatom_context *ctx, const char *path) {
    adatom_status status = ADATOM_OK;
    struct stat old;
    ad_staged staged = {.lock = -1};
    int file = -1;
    bool open_file = false;
    const bool exists = stat(path, &old) == 0;
    if (exists && S_ISDIR(old.st_mode))
        return ad_fail(ctx, ADATOM_IO, "cannot create '%s': %s", path, strerror(EISDIR));
    if (exists && !S_ISREG(old.st_mode)) return ADATOM_OK; /* opening a pipe would wait for its reader */
    AD_TRY(resolve(ctx, path, &staged.target, &open_file));
    if (open_file) goto done;
    if (exists) AD_TRY(check_read_only(ctx, path, &old));
    status = create_temporary(ctx, path, &staged, 0600, &file);
done:
    if (file >= 0) close(file);
    ad_write_abandon(&staged);
    return status;
}

adatom_status ad_write_stage_parts(adatom_context *ctx, const char *path, const ad_bytes *parts, size_t count,
                                   ad_staged *out) {
    adatom_status status = ADATOM_OK;
    struct stat old;
    int file = -1;
    bool open_file = false;
    *out = (ad_staged){.lock = -1};
    const bool exists = stat(path, &old) == 0;
    if (exists && !S_ISREG(old.st_mode)) return write_special(ctx, path, parts, count);
    AD_TRY(resolve(ctx, path, &out->target, &open_file));
    if (open_file) {
        AD_TRY(write_special(ctx, path, parts, count));
        ad_write_abandon(out);
        return ADATOM_OK;
    }
    if (exists) AD_TRY(check_read_only(ctx, path, &old));
    AD_TRY(ad_write_left(ctx, out->target, remove_left, NULL));
    AD_TRY(create_temporary(ctx, path, out, exists ? 0600 : 0666, &file));
    AD_TRY(write_all(ctx, path, file, parts, count));
    if (exists && !take_mode(file, &old))
        AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot give '%s' the permissions that it has: %s", path, strerror(errno)));
    /* The second descriptor keeps the lock. Closing the first one tells of errors that the system reports late. */
    out->lock = fcntl(file, F_DUPFD_CLOEXEC, 0);
    const int closed = close(file);
    file = -1;
    if (out->lock < 0 || closed != 0) AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot write '%s': %s", path, strerror(errno)));
done:
    if (file >= 0) close(file);
    if (status != ADATOM_OK) ad_write_abandon(out);
    return status;
}

adatom_status ad_write_stage(adatom_context *ctx, const char *path, const void *bytes, size_t size, ad_staged *out) {
    return ad_write_stage_parts(ctx, path, &(ad_bytes){bytes, size}, 1, out);
}

adatom_status ad_write_commit(adatom_context *ctx, const char *path, ad_staged *staged) {
    adatom_status status = ADATOM_OK;
    int folder = -1;
    char *name = NULL;
    if (!staged->temporary) goto done; /* a device or pipe, which has been written */
    if (!(name = folder_of(ctx, staged->target))) AD_TRY(ADATOM_OUT_OF_MEMORY);
    if (rename(staged->temporary, staged->target) != 0)
        AD_TRY(ad_fail(ctx, ADATOM_IO, "cannot rename the finished file to '%s': %s", path, strerror(errno)));
    ad_free(staged->temporary);
    staged->temporary = NULL;
    staged->renamed = true;
    /* Without syncing the folder, a power cut may lose the new name. */
    folder = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0 && fsync(folder) != 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
        AD_TRY(ad_fail(ctx, ADATOM_IO, "'%s' is written, but its folder cannot be brought to the disk: %s", path,
                       strerror(errno)));
done:
    if (folder >= 0) close(folder);
    ad_free(name);
    ad_write_abandon(staged);
    return status;
}

void ad_write_abandon(ad_staged *staged) {
    if (staged->temporary) unlink(staged->temporary);
    if (staged->lock >= 0) close(staged->lock);
    ad_free(staged->temporary);
    ad_free(staged->target);
    *staged = (ad_staged){.lock = -1, .renamed = staged->renamed};
}

adatom_status ad_write_file(adatom_context *ctx, const char *path, const void *bytes, size_t size) {
    ad_staged staged;
    const adatom_status status = ad_write_stage(ctx, path, bytes, size, &staged);
    return status == ADATOM_OK ? ad_write_commit(ctx, path, &staged) : status;
}

adatom_status adatom_write_file(adatom_context *context, const char *path, const void *bytes, size_t size) {
    return ad_write_file(context, path, bytes, size);
}

adatom_status adatom_write_check(adatom_context *context, const char *path) {
    return ad_leave(context, ad_write_check(context, path));
}
