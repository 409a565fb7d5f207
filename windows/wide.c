#include "wide.h"

#include <windows.h>

wchar_t *wide_text(const char *text) {
    const int count = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
    wchar_t *out = count > 0 ? malloc((size_t)count * sizeof *out) : NULL;
    if (out) MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, count);
    if (!out) errno = count > 0 ? ENOMEM : EILSEQ;
    return out;
}

/* Paths of more than 260 characters, less some that the system adds in folders, are only taken whole and with a mark in
 * front. */
static wchar_t *lengthen(wchar_t *path) {
    enum { SHORT_MOST = 240 };
    const size_t length = wcslen(path);
    if (length < SHORT_MOST || wcsncmp(path, L"\\\\?\\", 4) == 0) return path;
    const DWORD room = GetFullPathNameW(path, 0, NULL, NULL);
    wchar_t *out = malloc((room + 8) * sizeof *out);
    if (out) {
        const bool share = path[0] == L'\\' && path[1] == L'\\';
        wcscpy(out, share ? L"\\\\?\\UNC" : L"\\\\?\\");
        wchar_t *rest = out + wcslen(out);
        if (GetFullPathNameW(path, room, rest, NULL) == 0) *rest = 0;
        if (share) memmove(rest, rest + 1, (wcslen(rest + 1) + 1) * sizeof *rest); /* one of the two \ */
    }
    if (!out) errno = ENOMEM;
    free(path);
    return out;
}

static wchar_t *as_system_path(wchar_t *path) {
    for (wchar_t *at = path; at && *at; at++)
        if (*at == L'/') *at = L'\\';
    return path ? lengthen(path) : NULL;
}

wchar_t *windows_wide_path(const char *path) {
    if (strcmp(path, "/dev/null") == 0) path = "NUL";
    if (!*path) {
        errno = ENOENT;
        return NULL;
    }
    return as_system_path(wide_text(path));
}

wchar_t *path_of_handle(void *handle) {
    const DWORD room = GetFinalPathNameByHandleW(handle, NULL, 0, FILE_NAME_NORMALIZED);
    wchar_t *out = room ? malloc((room + 1) * sizeof *out) : NULL;
    if (!room) {
        fail_errno();
        return NULL;
    }
    if (!out)
        errno = ENOMEM;
    else if (GetFinalPathNameByHandleW(handle, out, room + 1, FILE_NAME_NORMALIZED) == 0)
        *out = 0;
    return out;
}

static bool is_absolute(const char *path) { return path[0] == '/' || path[0] == '\\' || (path[0] && path[1] == ':'); }

wchar_t *wide_path_at(int folder, const char *name) {
    if (folder == AT_FDCWD || is_absolute(name)) return windows_wide_path(name);
    wchar_t *above = path_of_handle((HANDLE)_get_osfhandle(folder)), *below = above ? wide_text(name) : NULL;
    wchar_t *out = below ? malloc((wcslen(above) + wcslen(below) + 2) * sizeof *out) : NULL;
    if (below && !out) errno = ENOMEM;
    if (out) {
        wcscpy(out, above);
        wcscat(out, L"\\");
        wcscat(out, below);
    }
    free(above);
    free(below);
    return as_system_path(out);
}

char *windows_narrow_text(const wchar_t *text) {
    const int count = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    char *out = count > 0 ? malloc((size_t)count) : NULL;
    if (out) WideCharToMultiByte(CP_UTF8, 0, text, -1, out, count, NULL, NULL);
    if (!out) errno = ENOMEM;
    return out;
}

int fail_errno(void) {
    static const struct {
        DWORD error;
        int number;
    } known[] = {{ERROR_FILE_NOT_FOUND, ENOENT},      {ERROR_PATH_NOT_FOUND, ENOENT},
                 {ERROR_INVALID_NAME, ENOENT},        {ERROR_BAD_NETPATH, ENOENT},
                 {ERROR_BAD_NET_NAME, ENOENT},        {ERROR_BAD_PATHNAME, ENOENT},
                 {ERROR_INVALID_DRIVE, ENOENT},       {ERROR_CANT_RESOLVE_FILENAME, ELOOP},
                 {ERROR_ACCESS_DENIED, EACCES},       {ERROR_SHARING_VIOLATION, EBUSY},
                 {ERROR_LOCK_VIOLATION, EWOULDBLOCK}, {ERROR_FILE_EXISTS, EEXIST},
                 {ERROR_ALREADY_EXISTS, EEXIST},      {ERROR_DIR_NOT_EMPTY, ENOTEMPTY},
                 {ERROR_DIRECTORY, ENOTDIR},          {ERROR_NOT_ENOUGH_MEMORY, ENOMEM},
                 {ERROR_OUTOFMEMORY, ENOMEM},         {ERROR_COMMITMENT_LIMIT, ENOMEM},
                 {ERROR_DISK_FULL, ENOSPC},           {ERROR_HANDLE_DISK_FULL, ENOSPC},
                 {ERROR_TOO_MANY_OPEN_FILES, EMFILE}, {ERROR_FILENAME_EXCED_RANGE, ENAMETOOLONG},
                 {ERROR_NOT_SAME_DEVICE, EXDEV},      {ERROR_WRITE_PROTECT, EROFS},
                 {ERROR_INVALID_HANDLE, EBADF},       {ERROR_NO_DATA, EPIPE},
                 {ERROR_BROKEN_PIPE, EPIPE},          {ERROR_NOT_SUPPORTED, ENOTSUP},
                 {ERROR_INVALID_FUNCTION, ENOTSUP},   {ERROR_INVALID_PARAMETER, EINVAL},
                 {ERROR_PRIVILEGE_NOT_HELD, EPERM}};
    const DWORD error = GetLastError();
    errno = EIO;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].error == error) errno = known[i].number;
    return -1;
}
