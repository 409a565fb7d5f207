/* What Adatom uses of POSIX, as Windows has it. Every file of Adatom is compiled for Windows with this header in front
 * of it (CMakeLists.txt), so that there is one place that knows Windows, and the rest of the code calls open(), stat()
 * and rename() everywhere.
 *
 * Names of files are UTF-8 and may be longer than 260 characters; / separates folders like \. Files are opened as bytes
 * and in such a way that they can be renamed, replaced and removed while they are open, as on other systems. */
#ifndef WINDOWS_POSIX_H
#define WINDOWS_POSIX_H

#include <direct.h>
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <process.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

/* ---- files ---- */

#undef PATH_MAX
#define PATH_MAX 4096
#ifndef NAME_MAX
#define NAME_MAX 255
#endif
#define O_CLOEXEC O_NOINHERIT
#define O_NOFOLLOW 0
#define O_NONBLOCK 0
#define O_DIRECTORY 0x10000000
#define AT_FDCWD (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR 0x200
#define F_DUPFD_CLOEXEC 1030
#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8
#undef S_IFLNK
#define S_IFLNK 0xA000
#undef S_ISLNK
#define S_ISLNK(mode) (((mode)&0xF000) == S_IFLNK)

typedef uint64_t windows_number;
#define dev_t windows_number
#define ino_t windows_number
#define tell windows_tell /* a name that POSIX leaves to others, and Windows' header does not */
typedef int uid_t, gid_t; /* there are none: every file belongs to the user 0, who is everybody */

/* Like struct stat with times in nanoseconds and 64-bit numbers of devices and files. */
struct windows_stat {
    uint64_t st_dev, st_ino;
    unsigned st_mode, st_nlink;
    uid_t st_uid;
    gid_t st_gid;
    int64_t st_size;
    struct timespec st_mtim, st_ctim;
};
int windows_stat(const char *path, struct windows_stat *out);
int windows_lstat(const char *path, struct windows_stat *out);
int windows_fstat(int file, struct windows_stat *out);
int windows_fstatat(int folder, const char *name, struct windows_stat *out, int flags);
int windows_open(const char *path, int flags, ...);
int windows_openat(int folder, const char *name, int flags, ...);
ssize_t windows_read(int file, void *out, size_t size);
ssize_t windows_write(int file, const void *bytes, size_t size);
ssize_t windows_pread(int file, void *out, size_t size, int64_t at);
FILE *windows_fopen(const char *path, const char *mode);
int windows_fclose(FILE *file);
FILE *windows_open_memstream(char **text, size_t *size);
int windows_fsync(int file);
int windows_fchmod(int file, unsigned mode);
int windows_fchown(int file, uid_t owner, gid_t group);
int windows_chmod(const char *path, unsigned mode);
int windows_truncate(const char *path, int64_t size);
int windows_flock(int file, int operation);
int windows_fcntl(int file, int command, int least);
int windows_access(const char *path, int mode);
int windows_mkdir(const char *path, unsigned mode);
int windows_rmdir(const char *path);
int windows_unlink(const char *path);
int windows_unlinkat(int folder, const char *name, int flags);
int windows_rename(const char *from, const char *to);
int windows_link(const char *from, const char *to);
int windows_symlink(const char *target, const char *name);
ssize_t windows_readlink(const char *path, char *out, size_t size);
char *windows_realpath(const char *path, char *out); /* out must be NULL */
int windows_utimensat(int folder, const char *name, const struct timespec times[2], int flags);
int windows_mkstemp(char *name);
int windows_mkstemps(char *name, int rest);
ssize_t windows_pwrite(int file, const void *bytes, size_t size, int64_t at);
char *windows_mkdtemp(char *name);

#undef stat
#undef fstat
#define stat windows_stat
#define lstat windows_lstat
#define fstat windows_fstat
#define fstatat windows_fstatat
#define open windows_open
#define openat windows_openat
#define read windows_read
#define write windows_write
#define pread windows_pread
#define fopen windows_fopen
#define fclose windows_fclose
#define open_memstream windows_open_memstream
#define fsync windows_fsync
#define fchmod windows_fchmod
#define fchown windows_fchown
#define chmod windows_chmod
#undef truncate
#define truncate windows_truncate
#define flock windows_flock
#define fcntl windows_fcntl
#define access windows_access
#define mkdir windows_mkdir
#define rmdir windows_rmdir
#define unlink windows_unlink
#define unlinkat windows_unlinkat
#define rename windows_rename
#define link windows_link
#define symlink windows_symlink
#define readlink windows_readlink
#define realpath windows_realpath
#define utimensat windows_utimensat
#define mkstemp windows_mkstemp
#define mkstemps windows_mkstemps
#define pwrite windows_pwrite
#define mkdtemp windows_mkdtemp

char *windows_narrow_text(const wchar_t *text); /* UTF-8; free(); NULL: no memory, which errno says */
wchar_t *windows_wide_path(const char *path);   /* the path as system calls take it; free(); NULL: errno says why */

/* ---- the process ---- */

char *windows_getenv(const char *name); /* UTF-8; the text stays */
int windows_setenv(const char *name, const char *value, int overwrite);
int windows_unsetenv(const char *name);
int windows_isatty(int file); /* a console; not what else is a device, like NUL */
int windows_geteuid(void);
const char *windows_temporary_folder(void); /* the user's, ending in /; the text stays */
enum { _SC_PAGE_SIZE = 1, _SC_PHYS_PAGES, _SC_NPROCESSORS_ONLN };
long windows_sysconf(int name);
uint64_t windows_available_bytes(void); /* what the process can still take of memory */
ssize_t windows_getrandom(void *out, size_t size, unsigned flags);
#define getenv windows_getenv
#define setenv windows_setenv
#define unsetenv windows_unsetenv
#define isatty windows_isatty
#define geteuid windows_geteuid
#undef P_tmpdir
#define P_tmpdir windows_temporary_folder()
#define sysconf windows_sysconf
#define getrandom windows_getrandom

/* Ctrl-C is SIGINT, Ctrl-Break SIGTERM; closing the window, logging off and shutting down are SIGHUP, after which the
 * system leaves the process a few seconds. There is no SIGPIPE: writing fails. */
#define SIGHUP 1
#define SIGPIPE 13
#define SA_RESETHAND 1
struct windows_sigaction {
    void (*sa_handler)(int number);
    int sa_flags;
};
int windows_sigaction(int number, const struct windows_sigaction *action, struct windows_sigaction *before);
void windows_signal(int number, void (*handler)(int number));
#define sigaction windows_sigaction
#define signal windows_signal

/* ---- locales: each thread's own; the C locale is all that is asked for ---- */

#define LC_CTYPE_MASK 1
#define LC_ALL_MASK 0x7F
typedef struct windows_locale *locale_t;
locale_t windows_newlocale(int mask, const char *name, locale_t base);
locale_t windows_uselocale(locale_t locale);
void windows_freelocale(locale_t locale);
#define newlocale windows_newlocale
#define uselocale windows_uselocale
#define freelocale windows_freelocale

/* ---- texts and memory ---- */

char *windows_stpcpy(char *to, const char *from);
void *windows_memmem(const void *text, size_t size, const void *part, size_t part_size);
char *windows_strcasestr(const char *text, const char *part);
char *windows_strsep(char **text, const char *separators);
#define stpcpy windows_stpcpy
#define strsep windows_strsep
#define gmtime_r(time, out) (gmtime_s(out, time) == 0 ? (out) : NULL)
#define memmem windows_memmem
#define strcasestr windows_strcasestr
#define aligned_alloc(alignment, size) _aligned_malloc(size, alignment)
#endif
