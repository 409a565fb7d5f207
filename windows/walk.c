#include "wide.h"

#include <dirent.h>
#include <ftw.h>

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
