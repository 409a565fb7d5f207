#include "wide.h"

#include <dirent.h>
#include <ftw.h>
#include <glob.h>

typedef int visitor(const char *path, const struct stat *info, int type, struct FTW *where);

static int walk(const char *path, visitor *visit, int flags, int level) {
    struct stat info;
    const char *slash = strrchr(path, '/');
    struct FTW where = {.base = slash ? (int)(slash - path) + 1 : 0, .level = level};
    if (lstat(path, &info) != 0) return -1;
    if (!S_ISDIR(info.st_mode)) return visit(path, &info, FTW_F, &where);
    int result = flags & FTW_DEPTH ? 0 : visit(path, &info, FTW_D, &where);
    DIR *stream = result ? NULL : opendir(path);
    for (const struct dirent *entry; !result && stream && (entry = readdir(stream));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        const size_t room = strlen(path) + strlen(entry->d_name) + 2;
        char *below = malloc(room);
        if (!below) {
            result = -1;
            break;
        }
        snprintf(below, room, "%s/%s", path, entry->d_name);
        result = walk(below, visit, flags, level + 1);
        free(below);
    }
    if (stream) closedir(stream);
    return !result && (flags & FTW_DEPTH) ? visit(path, &info, FTW_DP, &where) : result;
}

int windows_nftw(const char *path, visitor *visit, int descriptors, int flags) {
    (void)descriptors;
    return walk(path, visit, flags, 0);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int windows_glob(const char *pattern, int flags, void *on_error, glob_t *out) {
    const char *star = strrchr(pattern, '*'), *slash = strrchr(pattern, '/');
    const size_t head = slash ? (size_t)(slash - pattern) + 1 : 0, begin = (size_t)(star - pattern) - head;
    char folder[PATH_MAX];
    (void)flags;
    (void)on_error;
    *out = (glob_t){0};
    snprintf(folder, sizeof folder, "%.*s.", (int)head, pattern);
    DIR *stream = opendir(folder);
    for (const struct dirent *entry; stream && (entry = readdir(stream));) {
        const size_t length = strlen(entry->d_name), end = strlen(star + 1), room = head + length + 1;
        if (length < begin + end || strncmp(entry->d_name, pattern + head, begin) != 0 ||
            strcmp(entry->d_name + length - end, star + 1) != 0 || entry->d_name[0] == '.')
            continue;
        char **larger = realloc(out->gl_pathv, (out->gl_pathc + 1) * sizeof *larger), *path = malloc(room);
        if (larger) out->gl_pathv = larger;
        if (!larger || !path) abort();
        snprintf(path, room, "%.*s%s", (int)head, pattern, entry->d_name);
        out->gl_pathv[out->gl_pathc++] = path;
    }
    if (stream) closedir(stream);
    if (out->gl_pathc) qsort(out->gl_pathv, out->gl_pathc, sizeof *out->gl_pathv, by_name);
    return out->gl_pathc ? 0 : 1;
}

void windows_globfree(glob_t *found) {
    for (size_t i = 0; i < found->gl_pathc; i++) free(found->gl_pathv[i]);
    free(found->gl_pathv);
}
