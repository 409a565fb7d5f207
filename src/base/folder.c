/* Cache folders. What they hold is trusted, so nobody else may have put it there. */
#include "base/base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(uid_t owner) { return owner == geteuid() || owner == 0; }

/* Makes a folder and those above it. Failures are ignored: they show when something is written there. */
static void make(const char *folder) {
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s", folder) >= sizeof path || !path[0]) return;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    mkdir(path, 0700);
}

bool ad_cache_folder(adatom_context *ctx, const char *folder) {
    struct stat link, info;
    char path[PATH_MAX], reason[160] = "";
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--; /* with a slash behind it, lstat() would follow a link */
    if (length == 0 || length >= sizeof path) return length > 0;
    memcpy(path, folder, length);
    path[length] = 0;
    make(path);
    if (lstat(path, &link) != 0 || stat(path, &info) != 0) return true; /* nothing is there to be trusted */
    if (S_ISLNK(link.st_mode) && !is_ours(link.st_uid))
        snprintf(reason, sizeof reason, "it is a symbolic link of another user (%ld)", (long)link.st_uid);
    else if (!S_ISDIR(info.st_mode))
        return true; /* reading and writing in it will fail and say so */
    else if (!is_ours(info.st_uid))
        snprintf(reason, sizeof reason, "it belongs to another user (%ld)", (long)info.st_uid);
    else if (info.st_mode & 022)
        snprintf(reason, sizeof reason,
                 "others may write in it (mode %03o); 'chmod go-w' and emptying it make it usable",
                 (unsigned)(info.st_mode & 0777));
    if (!reason[0]) return true;
    ad_log(ctx, ADATOM_LOG_WARNING, "the cache folder '%s' is not used: %s", folder, reason);
    return false;
}
