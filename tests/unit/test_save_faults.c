/* Whatever call fails while an adapter is saved, and wherever its writer is killed, the folder holds the old adapter or
 * the new one. */
#include "fewshot/adapter.h"
#include "tests/run_suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- calls that fail: these definitions stand before those of the C library
 * ------------------------------------------ */

enum { OFF = -1, KILLED = 9 };
static int countdown = OFF;
static bool kills, for_good; /* for_good: all later calls of the kind fail as well */
static const char *kind;     /* of call to fail; NULL: any */

static bool fails(const char *call) {
    if (countdown == OFF || (kind && strcmp(kind, call) != 0)) return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    if (kills) _exit(KILLED);
    if (!for_good) countdown = OFF;
    errno = EIO;
    return true;
}

int open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    const int mode = flags & O_CREAT ? va_arg(args, int) : 0;
    va_end(args);
    return flags & O_CREAT && fails("open") ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}
ssize_t write(int file, const void *bytes, size_t size) {
    return fails("write") ? -1 : syscall(SYS_write, file, bytes, size);
}
int fsync(int file) { return fails("fsync") ? -1 : (int)syscall(SYS_fsync, file); }
int rename(const char *from, const char *to) {
    return fails("rename") ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int link(const char *from, const char *to) {
    return fails("link") ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int unlink(const char *path) { return kills && fails("unlink") ? -1 : (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0); }

/* ---- adapters ---- */

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-faults-XXXXXX";
static adatom_adapter *adapters[3];

static adatom_adapter *make_adapter(int number) {
    adatom_adapter *a = NULL;
    const int64_t shape[] = {500};
    OK(ad_adapter_create(ctx, 2, 300, false, 1, &a));
    a->head[0] = (float)number;
    OK(ad_adapter_add(a, "layer.atoms", "layer.atoms", 1, shape));
    json_t *config = json_pack(
        "{s:{s:s}, s:{s:s, s:i}, s:[{s:s, s:i, s:i, s:i}, {s:s, s:i, s:i, s:i}], s:{s:s, s:i, s:i, s:i, s:i}}",
        "base_model", "hash", "0123456789abcdef", "method", "adapt", "atoms", "steps", 1, "classes", "name", "a",
        "images", 1, "tested", 0, "right", 0, "name", "b", "images", 1, "tested", 0, "right", 0, "estimate", "kind",
        "none", "tested", 0, "right", 0, "fitted", 2, "fitted_right", 2);
    ck_assert_ptr_nonnull(config);
    OK(ad_adapter_finish(a, config));
    return a;
}

static void setup(void) {
    OK(adatom_context_create(NULL, &ctx));
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < 3; i++) adapters[i] = make_adapter(i);
}

static int entries(const char *path, bool remove_them) {
    char name[PATH_MAX + NAME_MAX + 2];
    int count = 0;
    DIR *directory = opendir(path);
    if (!directory) return -1;
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        count++;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (remove_them) unlink(name);
    }
    closedir(directory);
    return count;
}

static void teardown(void) {
    for (int i = 0; i < 3; i++) adatom_adapter_destroy(&adapters[i]);
    adatom_context_destroy(&ctx);
    entries(folder, true);
    rmdir(folder);
}

/* Which of the adapters the folder holds. */
static int held(const char *path, const char *after, int n) {
    adatom_adapter *read = NULL;
    adatom_adapter_info info = ADATOM_INIT(adatom_adapter_info), own = ADATOM_INIT(adatom_adapter_info);
    const adatom_status status = adatom_adapter_load(ctx, path, &read);
    ck_assert_msg(status == ADATOM_OK, "%s %d: %s", after, n, adatom_context_message(ctx));
    adatom_adapter_describe(read, &info);
    int found = -1;
    for (int i = 0; i < 3; i++) {
        adatom_adapter_describe(adapters[i], &own);
        if (strcmp(own.hash, info.hash) == 0) found = i;
    }
    adatom_adapter_destroy(&read);
    ck_assert_int_ge(found, 0);
    return found;
}

static const char *const calls[] = {"open", "write", "fsync", "rename", "link", NULL};

/* Over an older adapter: once, and all calls of the kind from there on. */
START_TEST(every_failure) {
    int failures = 0, kept_old = 0;
    for (int k = 0; k < 5; k++)
        for (int more = 0; more < 2; more++)
            for (int n = 0;; n++) {
                OK(adatom_adapter_save(adapters[0], folder));
                kind = calls[k];
                for_good = more;
                countdown = n;
                const adatom_status status = adatom_adapter_save(adapters[1], folder);
                const bool reached = countdown == OFF || (more && countdown == 0);
                countdown = OFF;
                const int now = held(folder, calls[k], n);
                ck_assert_int_eq(entries(folder, false), 2);
                if (status == ADATOM_OK) ck_assert_int_eq(now, 1);
                failures += status != ADATOM_OK;
                kept_old += status != ADATOM_OK && now == 0;
                if (!reached) break;
            }
    ck_assert_int_ge(failures, 12);
    ck_assert_int_ge(kept_old, failures - 2); /* unless only bringing the folder to the disk failed */
}
END_TEST

/* Where there was no folder there is none. */
START_TEST(failures_of_the_first) {
    char fresh[PATH_MAX];
    struct stat info;
    snprintf(fresh, sizeof fresh, "%s/fresh", folder);
    for (int k = 0; k < 4; k++)
        for (int n = 0;; n++) {
            kind = calls[k];
            for_good = true;
            countdown = n;
            const adatom_status status = adatom_adapter_save(adapters[1], fresh);
            const bool reached = countdown == 0;
            countdown = OFF;
            if (status == ADATOM_OK) {
                ck_assert_int_eq(held(fresh, calls[k], n), 1);
                entries(fresh, true);
                rmdir(fresh);
            } else {
                ck_assert_msg(stat(fresh, &info) != 0, "%s %d: the folder is left", calls[k], n);
            }
            if (!reached) break;
        }
}
END_TEST

/* Killed at every call: what is there can be read, and the next writer leaves two files. */
START_TEST(every_kill) {
    int new = 0, old = 0;
    for (int first = 0; first < 2; first++)
        for (int n = 0;; n++) {
            int result = 0;
            entries(folder, true);
            if (!first) OK(adatom_adapter_save(adapters[0], folder));
            const pid_t child = fork();
            if (child == 0) {
                kind = NULL;
                kills = true;
                countdown = n;
                _exit(adatom_adapter_save(adapters[1], folder) != ADATOM_OK);
            }
            waitpid(child, &result, 0);
            ck_assert(WIFEXITED(result));
            char tensors[PATH_MAX];
            snprintf(tensors, sizeof tensors, "%s/" AD_ADAPTER_TENSORS, folder);
            if (first && access(tensors, F_OK) != 0) {
                ck_assert_int_eq(WEXITSTATUS(result), KILLED);
            } else {
                const int now = held(folder, "kill", n);
                new += now == 1;
                old += now == 0;
            }
            /* A second writer that is killed as well, at every place, loses nothing more. */
            for (int m = 0; m < 12; m += 1 + n % 3) {
                const pid_t second = fork();
                if (second == 0) {
                    kind = NULL;
                    kills = true;
                    countdown = m;
                    _exit(adatom_adapter_save(adapters[2], folder) != ADATOM_OK);
                }
                waitpid(second, NULL, 0);
                if (access(tensors, F_OK) == 0) held(folder, "second kill", m);
            }
            OK(adatom_adapter_save(adapters[2], folder));
            ck_assert_int_eq(held(folder, "next", n), 2);
            ck_assert_int_eq(entries(folder, false), 2);
            if (WEXITSTATUS(result) == 0) break;
        }
    ck_assert_int_ge(new, 2);
    ck_assert_int_ge(old, 4);
}
END_TEST

/* Writers at once, and readers meanwhile, who never see half of a pair. */
START_TEST(many_at_once) {
    enum { WRITERS = 6, SAVES = 20 };
    pid_t children[WRITERS];
    OK(adatom_adapter_save(adapters[0], folder));
    for (int w = 0; w < WRITERS; w++) {
        if ((children[w] = fork()) != 0) continue;
        int failed = 0;
        for (int i = 0; i < SAVES; i++) failed += adatom_adapter_save(adapters[(w + i) % 3], folder) != ADATOM_OK;
        _exit(failed);
    }
    for (int w = 0, result, done; w < WRITERS; w++) {
        while ((done = waitpid(children[w], &result, WNOHANG)) == 0) held(folder, "read meanwhile", w);
        ck_assert_int_eq(done, children[w]);
        ck_assert_int_eq(WEXITSTATUS(result), 0);
    }
    held(folder, "read", 0);
    ck_assert_int_eq(entries(folder, false), 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("save_faults");
    TCase *tests = tcase_create("save_faults");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_failure);
    tcase_add_test(tests, failures_of_the_first);
    tcase_add_test(tests, every_kill);
    tcase_add_test(tests, many_at_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}
