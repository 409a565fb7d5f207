/* UTF-8 and Windows' own texts. */
#ifndef WINDOWS_WIDE_H
#define WINDOWS_WIDE_H

#include "posix.h"
#include <stdbool.h>

/* The text in UTF-16; free(). NULL, with errno set: it is no UTF-8, or there is no memory. */
wchar_t *wide_text(const char *text);
/* What windows_wide_path() does for a name in an open folder (AT_FDCWD: the current one). */
wchar_t *wide_path_at(int folder, const char *name);
/* The path of an open file or folder; free(). NULL, with errno set. */
wchar_t *path_of_handle(void *handle);
/* Sets errno to what the system's last error means, and returns -1. */
int fail_errno(void);
#endif
