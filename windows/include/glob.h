/* Files of a folder by how their names begin and end, for tests: one * in the last part of a path. */
#ifndef WINDOWS_GLOB_H
#define WINDOWS_GLOB_H

typedef struct windows_glob {
    size_t gl_pathc;
    char **gl_pathv;
} glob_t;
int windows_glob(const char *pattern, int flags, void *on_error, glob_t *out);
void windows_globfree(glob_t *found);
#define glob windows_glob
#define globfree windows_globfree
#endif
