/* How much memory the process can still take, from /proc/meminfo and from the limits of control groups [Linux,
 * admin-guide: cgroup-v1/memory, cgroup-v2], which containers and batch systems set. */
#include "base/base.h"

#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 4096, LINE_BYTES = 8192 };

static bool file_path(char out[PATH_BYTES], const char *root, const char *a, const char *b, const char *c) {
    const int length = snprintf(out, PATH_BYTES, "%s%s%s%s", root, a, b, c);
    return length >= 0 && length < PATH_BYTES;
}

/* Reads the number behind `key` at the beginning of a line, or the file's first number for an empty key. False: there
 * is no file, or no number (but "max", say). */
static bool read_number(const char *path, const char *key, uint64_t *out) {
    FILE *file = fopen(path, "re");
    char line[256];
    bool found = false;
    const size_t length = strlen(key);
    while (file && !found && fgets(line, sizeof line, file)) {
        unsigned long long number = 0;
        found = !strncmp(line, key, length) && sscanf(line + length, "%llu", &number) == 1;
        if (found) *out = number;
        if (!length) break;
    }
    if (file) fclose(file);
    return found;
}

/* The names of the files of one version of control groups. */
typedef struct group_files {
    /* soft: above this limit the system slows the group down until it stands still; NULL: the version has no such
     * limit. */
    const char *limit, *soft;
    /* cache: the key, in memory.stat, of file pages that the system gives up when memory is short. */
    const char *usage, *cache;
} group_files;
static const group_files version_1 = {"/memory.limit_in_bytes", NULL, "/memory.usage_in_bytes", "total_inactive_file"},
                         version_2 = {"/memory.max", "/memory.high", "/memory.current", "inactive_file"};

/* The bytes that the group in `folder` leaves; UINT64_MAX: it has no limit. */
static uint64_t left_in_group(const char *folder, const group_files *files) {
    char path[PATH_BYTES];
    uint64_t limit = UINT64_MAX, soft = UINT64_MAX, usage = 0, cache = 0;
    if (file_path(path, folder, files->limit, "", "")) read_number(path, "", &limit);
    if (files->soft && file_path(path, folder, files->soft, "", "")) read_number(path, "", &soft);
    limit = AD_MIN(limit, soft);
    if (limit == UINT64_MAX) return UINT64_MAX;
    if (!file_path(path, folder, files->usage, "", "") || !read_number(path, "", &usage)) return UINT64_MAX;
    if (file_path(path, folder, "/memory.stat", "", "")) read_number(path, files->cache, &cache);
    usage -= AD_MIN(usage, cache);
    return limit - AD_MIN(limit, usage);
}

/* The least that the group and the groups above it leave, up to where they are mounted. */
static uint64_t left_in_groups(const char *root, const char *mount, const char *group, const group_files *files) {
    char folder[PATH_BYTES];
    uint64_t least = UINT64_MAX;
    if (!file_path(folder, root, mount, group, "")) return least;
    const size_t top = strlen(root) + strlen(mount);
    for (;;) {
        least = AD_MIN(least, left_in_group(folder, files));
        char *slash = strrchr(folder + top, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

/* Whether `wanted` is in a comma list of `length` characters. */
static bool in_list(const char *list, size_t length, const char *wanted) {
    for (const char *at = list; at < list + length;) {
        const char *comma = memchr(at, ',', (size_t)(list + length - at));
        const size_t n = (size_t)((comma ? comma : list + length) - at);
        if (n == strlen(wanted) && !memcmp(at, wanted, n)) return true;
        at += n + 1;
    }
    return false;
}

/* Decodes what mountinfo writes in octal, e.g. a space in a name as "\040". */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; from++, to++) {
        unsigned byte = 0;
        const bool escaped = from[0] == '\\' && sscanf(from + 1, "%3o", &byte) == 1;
        *to = escaped ? (char)byte : *from;
        if (escaped) from += strspn(from + 1, "01234567") < 3 ? strspn(from + 1, "01234567") : 3;
    }
    *to = 0;
}

/* Finds in /proc/self/mountinfo where groups of this version are mounted, and which group is at the mount's root
 * (`shown`). False: they are not mounted. */
static bool find_mount(const char *root, bool second, char mount[PATH_BYTES], char shown[PATH_BYTES]) {
    char path[PATH_BYTES], line[LINE_BYTES], type[64], options[1024];
    FILE *file = file_path(path, root, "/proc/self/mountinfo", "", "") ? fopen(path, "re") : NULL;
    bool found = false;
    /* A line is: ID PARENT DEV ROOT MOUNT OPTIONS... - TYPE SOURCE OPTIONS. */
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *rest = strstr(line, " - ");
        if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", shown, mount) != 2) continue;
        if (sscanf(rest + 3, "%63s %*s %1023s", type, options) != 2) continue;
        found =
            second ? !strcmp(type, "cgroup2") : !strcmp(type, "cgroup") && in_list(options, strlen(options), "memory");
    }
    if (file) fclose(file);
    if (!found) return false;
    unescape(shown);
    unescape(mount);
    return true;
}

/* Finds the group of this process in /proc/self/cgroup, whose lines are "ID:CONTROLLERS:GROUP". */
static bool find_group(const char *root, bool second, char group[PATH_BYTES]) {
    char path[PATH_BYTES], line[LINE_BYTES];
    FILE *file = file_path(path, root, "/proc/self/cgroup", "", "") ? fopen(path, "re") : NULL;
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *controllers = strchr(line, ':'), *name = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!name || strlen(name + 1) >= PATH_BYTES) continue;
        const size_t length = (size_t)(name - controllers - 1);
        if (second ? length != 0 || strncmp(line, "0:", 2) != 0 : !in_list(controllers + 1, length, "memory")) continue;
        snprintf(group, PATH_BYTES, "%s", name + 1);
        group[strcspn(group, "\n")] = 0;
        found = true;
    }
    if (file) fclose(file);
    return found;
}

static uint64_t left_by_version(const char *root, bool second) {
    char mount[PATH_BYTES], shown[PATH_BYTES], group[PATH_BYTES];
    if (!find_mount(root, second, mount, shown) || !find_group(root, second, group)) return UINT64_MAX;
    /* In a container without a cgroup namespace of its own, the mount's root is a group `shown` below the real root,
     * and the group's path below the mount lacks that part. A group outside of it cannot be read; the limit of `shown`
     * is then the only one known. */
    const size_t part = strcmp(shown, "/") ? strlen(shown) : 0;
    const bool inside = !strncmp(group, shown, part) && (group[part] == '/' || !group[part]) && !strstr(group, "/..");
    const char *below = inside ? group + part : "";
    return left_in_groups(root, mount, strcmp(below, "/") ? below : "", second ? &version_2 : &version_1);
}

uint64_t ad_available_bytes_in(const char *root) {
    char path[PATH_BYTES];
    uint64_t kilobytes = 0;
    if (!file_path(path, root, "/proc/meminfo", "", "") || !read_number(path, "MemAvailable:", &kilobytes))
        kilobytes = 0;
    const uint64_t system = kilobytes ? kilobytes * 1024 : UINT64_MAX;
    const uint64_t groups = AD_MIN(left_by_version(root, false), left_by_version(root, true));
    const uint64_t least = AD_MIN(system, groups);
    /* 0 would mean "not known": a full group leaves 1 byte. A program with 32-bit addresses can take no more than half
     * of what they reach. */
    return least == UINT64_MAX ? 0 : AD_MAX(AD_MIN(least, (uint64_t)PTRDIFF_MAX), 1);
}
