/* Walking through folders, for tests: without following links, each folder behind what is in it or before it. */
#ifndef WINDOWS_FTW_H
#define WINDOWS_FTW_H

enum { FTW_F, FTW_D, FTW_DP, FTW_PHYS = 1, FTW_DEPTH = 8 };
struct FTW {
    int base, level;
};
int windows_nftw(const char *path, int (*visit)(const char *path, const struct stat *info, int type, struct FTW *where),
                 int descriptors, int flags);
#define nftw windows_nftw
#endif
