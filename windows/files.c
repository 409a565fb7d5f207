/* Opening, reading and writing files. */
#include "wide.h"

#include <stdarg.h>
#include <windows.h>

#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
static const uint64_t lock_place = (uint64_t)1 << 62; /* locks hinder reading here: no file is that long */

static HANDLE handle_of(int file) { return (HANDLE)_get_osfhandle(file); }

/* ---- opening ---- */

static int open_wide(wchar_t *path, int flags, unsigned mode) {
    const int way = flags & (O_RDONLY | O_WRONLY | O_RDWR);
    DWORD access = way == O_RDWR ? GENERIC_READ | GENERIC_WRITE : way == O_WRONLY ? GENERIC_WRITE : GENERIC_READ;
    DWORD create = (flags & O_CREAT) && (flags & O_EXCL)    ? CREATE_NEW
                   : (flags & O_CREAT) && (flags & O_TRUNC) ? CREATE_ALWAYS
                   : (flags & O_CREAT)                      ? OPEN_ALWAYS
                   : (flags & O_TRUNC)                      ? TRUNCATE_EXISTING
                                                            : OPEN_EXISTING;
    DWORD attributes = (flags & O_CREAT) && !(mode & 0222) ? FILE_ATTRIBUTE_READONLY : FILE_ATTRIBUTE_NORMAL;
    if (way == O_RDONLY) attributes |= FILE_FLAG_BACKUP_SEMANTICS; /* else folders cannot be opened */
    if (flags & O_TEMPORARY) {
        attributes |= FILE_FLAG_DELETE_ON_CLOSE;
        access |= DELETE;
    }
    if (!path) return -1;
    const HANDLE handle = CreateFileW(path, access, SHARED, NULL, create, attributes, NULL);
    if (handle == INVALID_HANDLE_VALUE) {
        const DWORD error = GetLastError(), found = GetFileAttributesW(path);
        SetLastError(error);
        fail_errno();
        if (error == ERROR_ACCESS_DENIED && found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY))
            errno = create == CREATE_NEW ? EEXIST : EISDIR;
        free(path);
        return -1;
    }
    free(path);
    const int file = _open_osfhandle((intptr_t)handle, (flags & O_APPEND) | O_BINARY | O_NOINHERIT);
    struct stat info;
    if (file < 0) {
        CloseHandle(handle);
        return -1;
    }
    if ((flags & O_DIRECTORY) && (fstat(file, &info) != 0 || !S_ISDIR(info.st_mode))) {
        _close(file);
        errno = ENOTDIR;
        return -1;
    }
    if (flags & O_APPEND) _lseeki64(file, 0, SEEK_END);
    return file;
}

#define MODE_ARGUMENT(flags, mode)                                                                                     \
    unsigned mode = 0666;                                                                                              \
    if ((flags)&O_CREAT) {                                                                                             \
        va_list rest;                                                                                                  \
        va_start(rest, flags);                                                                                         \
        mode = va_arg(rest, unsigned);                                                                                 \
        va_end(rest);                                                                                                  \
    }

int windows_open(const char *path, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_wide(windows_wide_path(path), flags, mode);
}

int windows_openat(int folder, const char *name, int flags, ...) {
    MODE_ARGUMENT(flags, mode)
    return open_wide(wide_path_at(folder, name), flags, mode);
}

FILE *windows_fopen(const char *path, const char *mode) {
    const bool plus = strchr(mode, '+') != NULL;
    const int way = plus ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    const int create = mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT | O_APPEND : 0;
    const int file = open(path, way | create | (strchr(mode, 'x') ? O_EXCL : 0), 0666);
    if (file < 0) return NULL;
    const char plain[] = {mode[0], 'b', plus ? '+' : 0, 0};
    FILE *out = _fdopen(file, plain);
    if (!out) _close(file);
    return out;
}

/* ---- streams in memory: temporary files that are read when they are closed ---- */

typedef struct memory_stream {
    struct memory_stream *next;
    FILE *file;
    char **text;
    size_t *size;
} memory_stream;
static memory_stream *streams;
static pthread_mutex_t streams_lock = PTHREAD_MUTEX_INITIALIZER;

FILE *windows_open_memstream(char **text, size_t *size) {
    const char *folder = windows_temporary_folder();
    const size_t room = strlen(folder) + 40;
    memory_stream *stream = calloc(1, sizeof *stream);
    char *name = malloc(room);
    int file = -1;
    if (!stream || !name) goto failed;
    for (int i = 0; i < 100 && file < 0; i++) {
        uint64_t number;
        if (getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) goto failed;
        snprintf(name, room, "%sadatom-%016llx.tmp", folder, (unsigned long long)number);
        file = open(name, O_RDWR | O_CREAT | O_EXCL | O_TEMPORARY, 0600);
        if (file < 0 && errno != EEXIST) goto failed;
    }
    if (file < 0 || !(stream->file = _fdopen(file, "w+b"))) goto failed;
    free(name);
    *size = 0;
    *text = NULL;
    stream->text = text;
    stream->size = size;
    pthread_mutex_lock(&streams_lock);
    stream->next = streams;
    streams = stream;
    pthread_mutex_unlock(&streams_lock);
    return stream->file;
failed:
    if (file >= 0) _close(file);
    free(name);
    free(stream);
    return NULL;
}

/* Moves what was written into memory. False: it is not whole. */
static bool take_content(memory_stream *stream) {
    if (fflush(stream->file) != 0 || ferror(stream->file)) return false;
    const int64_t length = _ftelli64(stream->file);
    if (length < 0 || !(*stream->text = malloc((size_t)length + 1))) return false;
    rewind(stream->file);
    *stream->size = fread(*stream->text, 1, (size_t)length, stream->file);
    (*stream->text)[*stream->size] = 0;
    return *stream->size == (size_t)length;
}

int windows_fclose(FILE *file) {
    memory_stream **at = &streams, *found = NULL;
    pthread_mutex_lock(&streams_lock);
    while (*at && (*at)->file != file) at = &(*at)->next;
    if ((found = *at)) *at = found->next;
    pthread_mutex_unlock(&streams_lock);
    const bool whole = !found || take_content(found);
    free(found);
#undef fclose
    return (fclose(file) == 0 && whole) ? 0 : EOF;
}

/* ---- reading and writing ---- */

enum { PART_MOST = 1 << 30 }; /* the system counts in 32 bits */

ssize_t windows_read(int file, void *out, size_t size) {
    return _read(file, out, (unsigned)(size < PART_MOST ? size : PART_MOST));
}

ssize_t windows_write(int file, const void *bytes, size_t size) {
    return _write(file, bytes, (unsigned)(size < PART_MOST ? size : PART_MOST));
}

ssize_t windows_pread(int file, void *out, size_t size, int64_t at) {
    OVERLAPPED place = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    DWORD got = 0;
    if (ReadFile(handle_of(file), out, (DWORD)(size < PART_MOST ? size : PART_MOST), &got, &place)) return (ssize_t)got;
    return GetLastError() == ERROR_HANDLE_EOF ? 0 : fail_errno();
}

ssize_t windows_pwrite(int file, const void *bytes, size_t size, int64_t at) {
    OVERLAPPED place = {.Offset = (DWORD)at, .OffsetHigh = (DWORD)(at >> 32)};
    DWORD done = 0;
    if (!WriteFile(handle_of(file), bytes, (DWORD)(size < PART_MOST ? size : PART_MOST), &done, &place))
        return fail_errno();
    return (ssize_t)done;
}

int windows_fsync(int file) {
    struct stat info;
    if (fstat(file, &info) == 0 && !S_ISREG(info.st_mode)) { /* folders need none, consoles and pipes have none */
        errno = EINVAL;
        return S_ISDIR(info.st_mode) ? 0 : -1;
    }
    return FlushFileBuffers(handle_of(file)) ? 0 : fail_errno();
}

int windows_truncate(const char *path, int64_t size) {
    const int file = open(path, O_WRONLY);
    if (file < 0) return -1;
    const FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = size};
    const bool done = SetFileInformationByHandle(handle_of(file), FileEndOfFileInfo, (void *)&end, sizeof end);
    const int result = done ? 0 : fail_errno();
    _close(file);
    return result;
}

int windows_flock(int file, int operation) {
    OVERLAPPED place = {.Offset = (DWORD)lock_place, .OffsetHigh = (DWORD)(lock_place >> 32)};
    if (operation & LOCK_UN) return UnlockFileEx(handle_of(file), 0, 1, 0, &place) ? 0 : fail_errno();
    const DWORD flags =
        (operation & LOCK_EX ? LOCKFILE_EXCLUSIVE_LOCK : 0u) | (operation & LOCK_NB ? LOCKFILE_FAIL_IMMEDIATELY : 0u);
    if (LockFileEx(handle_of(file), flags, 0, 1, 0, &place)) return 0;
    if (GetLastError() == ERROR_IO_PENDING) SetLastError(ERROR_LOCK_VIOLATION);
    return fail_errno();
}

int windows_fcntl(int file, int command, int least) {
    (void)least;
    if (command == F_DUPFD_CLOEXEC) return _dup(file);
    errno = EINVAL;
    return -1;
}
