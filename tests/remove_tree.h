/* Removes a folder with all that is in it. */
#ifndef REMOVE_TREE_H
#define REMOVE_TREE_H

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static inline int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)type;
    (void)where;
    return S_ISDIR(info->st_mode) ? rmdir(path) : unlink(path);
}

static inline int remove_tree(const char *path) { return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); }
#endif
