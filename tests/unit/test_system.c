/* What the library relies on of every system's files: names in UTF-8, long paths, files that are replaced and removed
 * while others have them open, locks. windows/ makes Windows so. */
#include "base/base.h"
#include "tests/remove_tree.h"
#include "tests/run_suite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOREIGN "Größe № 日本 \xf0\x9f\x94\xac"

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-system-XXXXXX";

static const char *path_of(const char *name) {
    static char paths[4][4096];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void setup(void) {
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void teardown(void) {
    remove_tree(folder);
    adatom_context_destroy(&ctx);
}

static void put(const char *path, const char *text) { OK(ad_write_file(ctx, path, text, strlen(text))); }

static void holds(const char *path, const char *text) {
    char *bytes = NULL;
    size_t size = 0;
    OK(ad_read_file(ctx, path, 1 << 20, &bytes, &size));
    ck_assert_str_eq(bytes, text);
    ad_free(bytes);
}

static int entries(void) {
    int count = 0;
    DIR *stream = opendir(folder);
    ck_assert_ptr_nonnull(stream);
    for (const struct dirent *entry; (entry = readdir(stream));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(stream);
    return count;
}

START_TEST(names_are_utf8) {
    struct stat info;
    ck_assert_int_eq(mkdir(path_of(FOREIGN), 0777), 0);
    put(path_of(FOREIGN "/" FOREIGN ".txt"), "one\r\ntwo\n"); /* and bytes are bytes */
    holds(path_of(FOREIGN "/" FOREIGN ".txt"), "one\r\ntwo\n");
    DIR *stream = opendir(path_of(FOREIGN));
    ck_assert_ptr_nonnull(stream);
    int found = 0;
    for (const struct dirent *entry; (entry = readdir(stream));) {
        if (entry->d_name[0] == '.') continue;
        ck_assert_str_eq(entry->d_name, FOREIGN ".txt");
        ck_assert_int_eq(fstatat(dirfd(stream), entry->d_name, &info, 0), 0);
        ck_assert_int_eq((int)info.st_size, 9);
        const int file = openat(dirfd(stream), entry->d_name, O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(file, 0);
        close(file);
        found++;
    }
    closedir(stream);
    ck_assert_int_eq(found, 1);
    char *real = realpath(path_of(FOREIGN), NULL);
    ck_assert_ptr_nonnull(real);
    ck_assert(ad_is_absolute(real));
    ck_assert_ptr_nonnull(strstr(real, FOREIGN));
    free(real);
    ck_assert_int_eq(setenv("ADATOM_TEST_NAME", FOREIGN, 1), 0);
    ck_assert_str_eq(getenv("ADATOM_TEST_NAME"), FOREIGN);
    unsetenv("ADATOM_TEST_NAME");
    ck_assert_ptr_null(getenv("ADATOM_TEST_NAME"));
    ck_assert_ptr_null(fopen(path_of("missing"), "rbe"));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(paths_may_be_long) {
    char path[2000] = "";
    for (int i = 0; i < 20; i++) {
        strcat(path, "/a folder whose name is long");
        ck_assert_int_eq(mkdir(path_of(path + 1), 0777), 0);
    }
    strcat(path, "/file");
    put(path_of(path + 1), "deep");
    holds(path_of(path + 1), "deep");
}
END_TEST

/* A reader keeps the file that it has opened; the next one finds the new file. */
START_TEST(open_files_are_replaced_and_removed) {
    char text[8] = "";
    put(path_of("target"), "old");
    const int reader = open(path_of("target"), O_RDONLY | O_CLOEXEC);
    put(path_of("target"), "new");
    holds(path_of("target"), "new");
    ck_assert_int_eq(read(reader, text, sizeof text - 1), 3);
    ck_assert_str_eq(text, "old");
    close(reader);
    const int again = open(path_of("target"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(unlink(path_of("target")), 0);
    close(again);
    ck_assert_int_ne(access(path_of("target"), F_OK), 0);
    ck_assert_int_eq(entries(), 0);
    put(path_of("target"), "kept");
    ck_assert_int_eq(chmod(path_of("target"), 0444), 0);
    ck_assert_int_eq(ad_write_file(ctx, path_of("target"), "x", 1), ADATOM_IO);
    holds(path_of("target"), "kept");
    ck_assert_int_eq(mkdir(path_of("folder"), 0777), 0);
    ck_assert_int_eq(ad_write_file(ctx, path_of("folder"), "x", 1), ADATOM_IO);
    ck_assert_int_eq(ad_write_file(ctx, path_of("no/folder"), "x", 1), ADATOM_IO);
    put("/dev/null", "gone");
}
END_TEST

static int open_target(void) { return open(path_of("target"), O_RDWR | O_CLOEXEC); }

/* A lock lasts until the last copy of its descriptor is closed, and does not hinder reading. */
START_TEST(locks) {
    put(path_of("target"), "text");
    const int holder = open_target(), other = open_target();
    ck_assert_int_eq(flock(holder, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_ne(flock(other, LOCK_EX | LOCK_NB), 0);
    ck_assert_int_eq(errno, EWOULDBLOCK);
    holds(path_of("target"), "text");
    const int copy = fcntl(holder, F_DUPFD_CLOEXEC, 0);
    close(holder);
    ck_assert_int_ne(flock(other, LOCK_EX | LOCK_NB), 0);
    close(copy);
    ck_assert_int_eq(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    /* Those who read a folder share it. */
    const int first = ad_lock_folder(ctx, folder, false), second = ad_lock_folder(ctx, folder, false);
    ck_assert(first >= 0 && second >= 0);
    close(first);
    close(second);
    const int alone = ad_lock_folder(ctx, folder, true);
    ck_assert_int_ge(alone, 0);
    close(alone);
    ck_assert_int_lt(ad_lock_folder(ctx, path_of("missing"), false), 0);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

/* Files that killed writers left are removed, and told from those that are being written. */
START_TEST(leftovers) {
    put(path_of("target.tmp-0123456789abcdef"), "left");
    put(path_of("target.tmp-0123456789abcde0"), "being written");
    const int writer = open(path_of("target.tmp-0123456789abcde0"), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(writer, LOCK_EX | LOCK_NB), 0);
    put(path_of("target"), "new");
    ck_assert_int_ne(access(path_of("target.tmp-0123456789abcdef"), F_OK), 0);
    ck_assert_int_eq(access(path_of("target.tmp-0123456789abcde0"), F_OK), 0);
    close(writer);
    put(path_of("target"), "new");
    ck_assert_int_eq(entries(), 1);
}
END_TEST

enum { WRITERS = 4, WRITES = 25, LENGTH = 50000 };

static char shared[4096]; /* path_of() is not for several threads at once */

static void *write_often(void *letter) {
    adatom_context *own = NULL;
    char *bytes = malloc(LENGTH);
    memset(bytes, *(char *)letter, LENGTH);
    long failed = adatom_context_create(NULL, &own) != ADATOM_OK;
    for (int i = 0; i < WRITES; i++) failed += ad_write_file(own, shared, bytes, LENGTH) != ADATOM_OK;
    adatom_context_destroy(&own);
    free(bytes);
    return (void *)(intptr_t)failed;
}

static void *read_often(void *torn) {
    adatom_context *own = NULL;
    adatom_context_create(NULL, &own);
    for (int i = 0; i < 4 * WRITES; i++) {
        char *bytes = NULL;
        size_t size = 0;
        if (ad_read_file(own, shared, 1 << 20, &bytes, &size) != ADATOM_OK) continue;
        *(int *)torn += size != LENGTH || bytes[0] != bytes[LENGTH - 1];
        ad_free(bytes);
    }
    adatom_context_destroy(&own);
    return NULL;
}

START_TEST(writers_at_the_same_time) {
    pthread_t writers[WRITERS], reader;
    char letters[WRITERS] = "abcd";
    int torn = 0;
    snprintf(shared, sizeof shared, "%s", path_of("shared"));
    for (int w = 0; w < WRITERS; w++) ck_assert_int_eq(pthread_create(&writers[w], NULL, write_often, &letters[w]), 0);
    ck_assert_int_eq(pthread_create(&reader, NULL, read_often, &torn), 0);
    for (int w = 0; w < WRITERS; w++) {
        void *failed = NULL;
        pthread_join(writers[w], &failed);
        ck_assert_ptr_null(failed);
    }
    pthread_join(reader, NULL);
    ck_assert_int_eq(torn, 0);
    ck_assert_int_eq(entries(), 1);
}
END_TEST

START_TEST(facts_of_files) {
    struct stat one, two, same;
    put(path_of("one"), "1");
    put(path_of("two"), "22");
    ck_assert_int_eq(link(path_of("one"), path_of("same")), 0);
    ck_assert(stat(path_of("one"), &one) == 0 && stat(path_of("two"), &two) == 0 && stat(path_of("same"), &same) == 0);
    ck_assert(one.st_ino == same.st_ino && one.st_ino != two.st_ino && one.st_dev == two.st_dev);
    ck_assert(S_ISREG(one.st_mode) && one.st_size == 1 && two.st_size == 2 && one.st_nlink == 2);
    const struct timespec times[2] = {{1600000000, 0}, {1700000000, 123456700}};
    ck_assert_int_eq(utimensat(AT_FDCWD, path_of("two"), times, 0), 0);
    ck_assert_int_eq(stat(path_of("two"), &two), 0);
    ck_assert(two.st_mtim.tv_sec == 1700000000 && two.st_mtim.tv_nsec == 123456700);
    ck_assert_int_eq(stat(folder, &one), 0);
    ck_assert(S_ISDIR(one.st_mode));
    ck_assert(ad_available_bytes() > 1 << 20);
    ck_assert(ad_cache_folder(ctx, path_of("a/new/cache")));
    ck_assert_int_eq(stat(path_of("a/new/cache"), &one), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("system");
    TCase *tcase = tcase_create("system");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, names_are_utf8);
    tcase_add_test(tcase, paths_may_be_long);
    tcase_add_test(tcase, open_files_are_replaced_and_removed);
    tcase_add_test(tcase, locks);
    tcase_add_test(tcase, leftovers);
    tcase_add_test(tcase, writers_at_the_same_time);
    tcase_add_test(tcase, facts_of_files);
    suite_add_tcase(suite, tcase);
    return run_suite(suite, CK_NOFORK);
}
