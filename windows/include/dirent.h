/* Reading folders. dirfd() is a descriptor of the folder itself, for openat() and its kin. */
#ifndef WINDOWS_DIRENT_H
#define WINDOWS_DIRENT_H

enum { DT_UNKNOWN = 0, DT_DIR = 4, DT_REG = 8, DT_LNK = 10 };
struct dirent {
    unsigned char d_type;
    char d_name[3 * 255 + 1];
};
typedef struct windows_dir DIR;
DIR *windows_opendir(const char *path);
struct dirent *windows_readdir(DIR *stream);
int windows_closedir(DIR *stream);
int windows_dirfd(DIR *stream);
#define opendir windows_opendir
#define readdir windows_readdir
#define closedir windows_closedir
#define dirfd windows_dirfd
#endif
