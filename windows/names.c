/* What names of files stand for: facts about files, and removing, renaming and making them. */
#include "wide.h"

#include <dirent.h>
#include <sys/vfs.h>
#include <windows.h>

#define SHARED (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
enum { RETRIES = 20, RETRY_MILLISECONDS = 20 };

/* ---- facts ---- */

/* The system counts 100 ns since 1601. */
static struct timespec time_of(int64_t ticks) {
    const int64_t since = ticks - 116444736000000000;
    return (struct timespec){.tv_sec = (time_t)(since / 10000000), .tv_nsec = (long)(since % 10000000) * 100};
}

static int facts_of(HANDLE handle, struct stat *out) {
    BY_HANDLE_FILE_INFORMATION facts;
    FILE_BASIC_INFO basic;
    *out = (struct stat){.st_nlink = 1};
    const DWORD type = GetFileType(handle);
    if (type == FILE_TYPE_CHAR || type == FILE_TYPE_PIPE) {
        out->st_mode = (type == FILE_TYPE_CHAR ? S_IFCHR : S_IFIFO) | 0666;
        return 0;
    }
    if (!GetFileInformationByHandle(handle, &facts) ||
        !GetFileInformationByHandleEx(handle, FileBasicInfo, &basic, sizeof basic))
        return fail_errno();
    FILE_ATTRIBUTE_TAG_INFO tag = {0};
    const bool has_tag = (facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
                         GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &tag, sizeof tag);
    const bool is_link =
        has_tag && (tag.ReparseTag == IO_REPARSE_TAG_SYMLINK || tag.ReparseTag == IO_REPARSE_TAG_MOUNT_POINT);
    const bool is_folder = (facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
    const bool locked = (facts.dwFileAttributes & FILE_ATTRIBUTE_READONLY) != 0 && !is_folder;
    out->st_mode = is_link ? S_IFLNK | 0777 : is_folder ? S_IFDIR | 0700 : S_IFREG | (locked ? 0444 : 0644);
    out->st_dev = facts.dwVolumeSerialNumber;
    out->st_ino = (uint64_t)facts.nFileIndexHigh << 32 | facts.nFileIndexLow;
    out->st_nlink = facts.nNumberOfLinks;
    out->st_size = (int64_t)((uint64_t)facts.nFileSizeHigh << 32 | facts.nFileSizeLow);
    out->st_mtim = time_of(basic.LastWriteTime.QuadPart);
    out->st_ctim = time_of(basic.ChangeTime.QuadPart ? basic.ChangeTime.QuadPart : basic.LastWriteTime.QuadPart);
    return 0;
}

static int stat_wide(wchar_t *path, bool follow, struct stat *out) {
    if (!path) return -1;
    const DWORD flags = FILE_FLAG_BACKUP_SEMANTICS | (follow ? 0u : FILE_FLAG_OPEN_REPARSE_POINT);
    const HANDLE handle = CreateFileW(path, FILE_READ_ATTRIBUTES, SHARED, NULL, OPEN_EXISTING, flags, NULL);
    const int result = handle == INVALID_HANDLE_VALUE ? fail_errno() : facts_of(handle, out);
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    free(path);
    return result;
}

int windows_stat(const char *path, struct stat *out) { return stat_wide(windows_wide_path(path), true, out); }

int windows_lstat(const char *path, struct stat *out) { return stat_wide(windows_wide_path(path), false, out); }

int windows_fstat(int file, struct stat *out) { return facts_of((HANDLE)_get_osfhandle(file), out); }

int windows_fstatat(int folder, const char *name, struct stat *out, int flags) {
    return stat_wide(wide_path_at(folder, name), !(flags & AT_SYMLINK_NOFOLLOW), out);
}

int windows_access(const char *path, int mode) {
    struct stat info;
    if (stat(path, &info) != 0) return -1;
    if (!(mode & W_OK) || (info.st_mode & 0222)) return 0;
    errno = EACCES;
    return -1;
}

/* The path without the mark in front of it, separated by /. */
static char *plain_path(wchar_t *path) {
    wchar_t *at = path;
    if (wcsncmp(at, L"\\\\?\\UNC\\", 8) == 0) {
        at += 6;
        *at = L'\\';
    } else if (wcsncmp(at, L"\\\\?\\", 4) == 0) {
        at += 4;
    }
    for (wchar_t *c = at; *c; c++)
        if (*c == L'\\') *c = L'/';
    return windows_narrow_text(at);
}

char *windows_realpath(const char *path, char *out) {
    const int file = open(path, O_RDONLY);
    (void)out;
    if (file < 0) return NULL;
    wchar_t *whole = path_of_handle((HANDLE)_get_osfhandle(file));
    char *text = whole ? plain_path(whole) : NULL;
    free(whole);
    _close(file);
    return text;
}

/* The end of the whole chain of links, since the system resolves that at once. */
ssize_t windows_readlink(const char *path, char *out, size_t size) {
    char *text = realpath(path, NULL);
    if (!text) return -1;
    const size_t length = strlen(text) < size ? strlen(text) : size;
    memcpy(out, text, length);
    free(text);
    return (ssize_t)length;
}

int windows_statfs(const char *path, struct windows_statfs *out) {
    wchar_t *name = windows_wide_path(path), root[MAX_PATH + 1], kind[MAX_PATH + 1] = L"";
    *out = (struct windows_statfs){.f_type = 0x4d44};
    if (!name) return -1;
    const bool found = GetVolumePathNameW(name, root, MAX_PATH + 1) &&
                       GetVolumeInformationW(root, NULL, 0, NULL, NULL, NULL, kind, MAX_PATH + 1);
    free(name);
    if (!found) return fail_errno();
    if (GetDriveTypeW(root) == DRIVE_FIXED && (wcscmp(kind, L"NTFS") == 0 || wcscmp(kind, L"ReFS") == 0))
        out->f_type = 0;
    return 0;
}

/* ---- changes ---- */

/* Scanners and indexers open new files for a moment without letting others rename or remove them. */
static bool is_passing(DWORD error) { return error == ERROR_SHARING_VIOLATION || error == ERROR_ACCESS_DENIED; }

/* Replaces a file even while others have it open, which the system can since Windows 10 on NTFS. */
static bool rename_at_once(const wchar_t *from, const wchar_t *to) {
    const size_t bytes = wcslen(to) * sizeof *to;
    FILE_RENAME_INFO *wish = calloc(1, sizeof *wish + bytes);
    const HANDLE handle = CreateFileW(from, DELETE | SYNCHRONIZE, SHARED, NULL, OPEN_EXISTING,
                                      FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    bool done = false;
    if (wish && handle != INVALID_HANDLE_VALUE) {
        enum { RENAME_INFO_EX = 22, REPLACE = 1, POSIX = 2 };
        wish->Flags = REPLACE | POSIX;
        wish->FileNameLength = (DWORD)bytes;
        memcpy(wish->FileName, to, bytes);
        done = SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)RENAME_INFO_EX, wish,
                                          (DWORD)(sizeof *wish + bytes));
    }
    if (handle != INVALID_HANDLE_VALUE) CloseHandle(handle);
    free(wish);
    return done;
}

/* Where it cannot (before Windows 10, on other file systems): the old file gets another name, that of a file which a
 * killed writer left (src/base/write.c), and goes when the last who has it open closes it. For a moment there is no
 * file of the name. */
static bool rename_around(const wchar_t *from, const wchar_t *to) {
    const size_t room = wcslen(to) + 32;
    wchar_t *aside = malloc(room * sizeof *aside);
    uint64_t number;
    if (!aside || getrandom(&number, sizeof number, 0) != (ssize_t)sizeof number) {
        free(aside);
        return false;
    }
    _snwprintf(aside, room, L"%ls.tmp-%016I64x", to, number);
    bool done = false;
    if (MoveFileExW(to, aside, 0)) {
        done = MoveFileExW(from, to, MOVEFILE_WRITE_THROUGH);
        const DWORD error = GetLastError();
        if (done)
            DeleteFileW(aside);
        else
            MoveFileExW(aside, to, 0);
        SetLastError(error);
    }
    free(aside);
    return done;
}

int windows_rename(const char *from, const char *to) {
    wchar_t *old = windows_wide_path(from), *new = old ? windows_wide_path(to) : NULL;
    bool done = false;
    DWORD error = 0;
    for (int i = 0; new && !done &&i < RETRIES; i++) {
        if (i > 0) Sleep(RETRY_MILLISECONDS);
        done = rename_at_once(old, new) || MoveFileExW(old, new, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH);
        error = GetLastError();
        if (!is_passing(error) || (GetFileAttributesW(new) & FILE_ATTRIBUTE_DIRECTORY)) break;
    }
    if (new && !done && is_passing(error)) done = rename_around(old, new);
    SetLastError(error);
    const int result = done ? 0 : new ? fail_errno() : -1;
    free(old);
    free(new);
    return result;
}

/* Removes the name at once, even while others have the file open; before Windows 10 the name stays until they close
 * it. */
static bool remove_at_once(const wchar_t *path) {
    enum { DISPOSITION_INFO_EX = 21, DELETE_IT = 1, POSIX = 2, READ_ONLY_TOO = 0x10 };
    DWORD wish = DELETE_IT | POSIX | READ_ONLY_TOO;
    const HANDLE handle = CreateFileW(path, DELETE, SHARED, NULL, OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT, NULL);
    if (handle == INVALID_HANDLE_VALUE) return false;
    const bool done =
        SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)DISPOSITION_INFO_EX, &wish, sizeof wish);
    CloseHandle(handle);
    return done;
}

static int unlink_wide(wchar_t *path) {
    bool done = false;
    DWORD error = 0;
    for (int i = 0; path && !done && i < RETRIES; i++) {
        if (i > 0) Sleep(RETRY_MILLISECONDS);
        const DWORD found = GetFileAttributesW(path);
        if (found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_READONLY))
            SetFileAttributesW(path, found & ~(DWORD)FILE_ATTRIBUTE_READONLY);
        done = remove_at_once(path) || DeleteFileW(path);
        error = GetLastError();
        if (!is_passing(error) || (found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY))) break;
    }
    SetLastError(error);
    const int result = done ? 0 : path ? fail_errno() : -1;
    free(path);
    return result;
}

int windows_unlink(const char *path) { return unlink_wide(windows_wide_path(path)); }

int windows_unlinkat(int folder, const char *name, int flags) {
    wchar_t *path = wide_path_at(folder, name);
    if (!(flags & AT_REMOVEDIR)) return unlink_wide(path);
    const int result = path && RemoveDirectoryW(path) ? 0 : path ? fail_errno() : -1;
    free(path);
    return result;
}

int windows_mkdir(const char *path, unsigned mode) {
    wchar_t *name = windows_wide_path(path);
    (void)mode; /* a new folder's rights are those of the folder above it */
    const int result = name && CreateDirectoryW(name, NULL) ? 0 : name ? fail_errno() : -1;
    free(name);
    return result;
}

int windows_rmdir(const char *path) { return windows_unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int windows_link(const char *from, const char *to) {
    wchar_t *old = windows_wide_path(from), *new = old ? windows_wide_path(to) : NULL;
    const int result = new &&CreateHardLinkW(new, old, NULL) ? 0 : new ? fail_errno() : -1;
    free(old);
    free(new);
    return result;
}

int windows_symlink(const char *target, const char *name) {
    wchar_t *to = windows_wide_path(target), *path = to ? windows_wide_path(name) : NULL;
    enum { UNPRIVILEGED = 2 };
    const int result = path && CreateSymbolicLinkW(path, to, UNPRIVILEGED) ? 0 : path ? fail_errno() : -1;
    free(to);
    free(path);
    return result;
}

int windows_chmod(const char *path, unsigned mode) {
    wchar_t *name = windows_wide_path(path);
    const DWORD found = name ? GetFileAttributesW(name) : INVALID_FILE_ATTRIBUTES;
    const DWORD plain = found & ~(DWORD)FILE_ATTRIBUTE_READONLY;
    const bool done = found != INVALID_FILE_ATTRIBUTES &&
                      SetFileAttributesW(name, mode & 0222 ? plain : plain | FILE_ATTRIBUTE_READONLY);
    const int result = done ? 0 : name ? fail_errno() : -1;
    free(name);
    return result;
}

int windows_fchmod(int file, unsigned mode) {
    struct stat info;
    if (fstat(file, &info) != 0) return -1;
    if (!(mode & 0222) == !(info.st_mode & 0222)) return 0;
    errno = ENOTSUP; /* only asked for where a file is replaced, which is not done to one that is read-only */
    return -1;
}

int windows_fchown(int file, uid_t owner, gid_t group) {
    (void)file;
    (void)owner;
    (void)group;
    return 0;
}

int windows_utimensat(int folder, const char *name, const struct timespec times[2], int flags) {
    (void)flags;
    wchar_t *path = wide_path_at(folder, name);
    if (!path) return -1;
    const HANDLE handle =
        CreateFileW(path, FILE_WRITE_ATTRIBUTES, SHARED, NULL, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    free(path);
    if (handle == INVALID_HANDLE_VALUE) return fail_errno();
    FILETIME parts[2];
    GetSystemTimeAsFileTime(&parts[0]);
    parts[1] = parts[0];
    for (int i = 0; times && i < 2; i++) {
        const int64_t ticks = (int64_t)times[i].tv_sec * 10000000 + times[i].tv_nsec / 100 + 116444736000000000;
        parts[i] = (FILETIME){(DWORD)ticks, (DWORD)(ticks >> 32)};
    }
    const int result = SetFileTime(handle, NULL, &parts[0], &parts[1]) ? 0 : fail_errno();
    CloseHandle(handle);
    return result;
}

/* ---- temporary names ---- */

/* Replaces the six X before the name's last characters by letters that nobody can foresee. */
static bool choose_letters(char *name, size_t rest) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz012345";
    const size_t length = strlen(name) - rest;
    unsigned char random[6];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) return false;
    for (size_t i = 0; i < 6; i++) name[length - 6 + i] = letters[random[i] % 32];
    return true;
}

int windows_mkstemp(char *name) { return windows_mkstemps(name, 0); }

int windows_mkstemps(char *name, int rest) {
    for (int i = 0; i < 100 && choose_letters(name, (size_t)rest); i++) {
        const int file = open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (file >= 0 || errno != EEXIST) return file;
    }
    return -1;
}

char *windows_mkdtemp(char *name) {
    for (int i = 0; i < 100 && choose_letters(name, 0); i++)
        if (mkdir(name, 0700) == 0)
            return name;
        else if (errno != EEXIST)
            break;
    return NULL;
}

/* ---- folders ---- */

struct windows_dir {
    HANDLE search;
    WIN32_FIND_DATAW found;
    struct dirent entry;
    int file;
    bool fresh; /* `found` holds what has not been returned */
};

DIR *windows_opendir(const char *path) {
    DIR *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    stream->file = open(path, O_RDONLY | O_DIRECTORY);
    stream->search = INVALID_HANDLE_VALUE;
    wchar_t *pattern = stream->file < 0 ? NULL : wide_path_at(stream->file, "*");
    if (pattern) {
        stream->search = FindFirstFileExW(pattern, FindExInfoBasic, &stream->found, FindExSearchNameMatch, NULL,
                                          FIND_FIRST_EX_LARGE_FETCH);
        stream->fresh = stream->search != INVALID_HANDLE_VALUE;
        if (!stream->fresh && GetLastError() != ERROR_FILE_NOT_FOUND) { /* an empty root folder has no entry at all */
            fail_errno();
            _close(stream->file);
            stream->file = -1;
        }
    }
    free(pattern);
    if (stream->file >= 0) return stream;
    free(stream);
    return NULL;
}

struct dirent *windows_readdir(DIR *stream) {
    if (!stream->fresh) {
        if (stream->search == INVALID_HANDLE_VALUE) return NULL;
        if (!FindNextFileW(stream->search, &stream->found)) {
            if (GetLastError() != ERROR_NO_MORE_FILES) fail_errno();
            return NULL;
        }
    }
    stream->fresh = false;
    const DWORD attributes = stream->found.dwFileAttributes;
    stream->entry.d_type = attributes & FILE_ATTRIBUTE_REPARSE_POINT ? DT_LNK
                           : attributes & FILE_ATTRIBUTE_DIRECTORY   ? DT_DIR
                                                                     : DT_REG;
    if (WideCharToMultiByte(CP_UTF8, 0, stream->found.cFileName, -1, stream->entry.d_name, sizeof stream->entry.d_name,
                            NULL, NULL) == 0) {
        errno = EILSEQ;
        return NULL;
    }
    return &stream->entry;
}

int windows_dirfd(DIR *stream) { return stream->file; }

int windows_closedir(DIR *stream) {
    if (stream->search != INVALID_HANDLE_VALUE) FindClose(stream->search);
    _close(stream->file);
    free(stream);
    return 0;
}
