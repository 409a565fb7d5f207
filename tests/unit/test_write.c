/* Files are written whole or not at all, whoever else writes them; names of them are shown without what steers a
 * terminal. */
#include "base/base.h"
#include "tests/run_suite.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-write-XXXXXX";

static const char *path_of(const char *name) {
    static char paths[4][PATH_MAX];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return path;
}

static void setup(void) {
    umask(022);
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Every name in the folder but . and .., removed where asked. */
static int entries(bool remove_them) {
    int count = 0;
    DIR *directory = opendir(folder);
    ck_assert_ptr_nonnull(directory);
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.' && (!entry->d_name[1] || !strcmp(entry->d_name, ".."))) continue;
        count++;
        if (remove_them && unlink(path_of(entry->d_name)) != 0) rmdir(path_of(entry->d_name));
    }
    closedir(directory);
    return count;
}

static void teardown(void) {
    entries(true);
    rmdir(folder);
    adatom_context_destroy(&ctx);
}

static void put(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void holds(const char *path, const char *text) {
    char *bytes = NULL;
    size_t size = 0;
    ck_assert_int_eq(ad_read_file(ctx, path, 1 << 20, &bytes, &size), ADATOM_OK);
    ck_assert_str_eq(bytes, text);
    ad_free(bytes);
}

static void write_text(const char *path, const char *text) {
    ck_assert_msg(ad_write_file(ctx, path, text, strlen(text)) == ADATOM_OK, "%s", adatom_context_message(ctx));
}

static mode_t mode_of(const char *path) {
    struct stat info;
    ck_assert_int_eq(lstat(path, &info), 0);
    ck_assert(S_ISREG(info.st_mode));
    return info.st_mode & 07777;
}

enum { PROCESSES = 10, THREADS = 3, SAVES = 20, BYTES = 20000 };

/* Saves under its own context; the number of failures. */
static void *save_often(void *letter) {
    adatom_context *own = NULL;
    char *bytes = malloc(BYTES), path[PATH_MAX];
    uintptr_t failed = adatom_context_create(NULL, &own) != ADATOM_OK;
    snprintf(path, sizeof path, "%s/target", folder);
    memset(bytes, (int)(uintptr_t)letter, BYTES);
    for (int i = 0; i < SAVES && own; i++) failed += ad_write_file(own, path, bytes, BYTES) != ADATOM_OK;
    adatom_context_destroy(&own);
    free(bytes);
    return (void *)failed;
}

/* 600 saves of one file, by threads of several processes: every one succeeds, and whoever reads finds the work of one
 * of them. */
START_TEST(many_writers) {
    pid_t children[PROCESSES];
    for (int w = 0; w < PROCESSES; w++) {
        if ((children[w] = fork()) != 0) continue;
        pthread_t threads[THREADS];
        uintptr_t failed = 0;
        for (int t = 0; t < THREADS; t++)
            failed += pthread_create(&threads[t], NULL, save_often, (void *)(uintptr_t)('a' + w + 3 * t)) != 0;
        for (int t = 0; t < THREADS; t++) {
            void *result = NULL;
            pthread_join(threads[t], &result);
            failed += (uintptr_t)result;
        }
        _exit((int)failed);
    }
    for (int w = 0, failed; w < PROCESSES; w++) {
        ck_assert_int_eq(waitpid(children[w], &failed, 0), children[w]);
        ck_assert_msg(WIFEXITED(failed) && WEXITSTATUS(failed) == 0, "process %d failed %d times", w,
                      WEXITSTATUS(failed));
        char *read = NULL;
        size_t size = 0;
        ck_assert_int_eq(ad_read_file(ctx, path_of("target"), BYTES, &read, &size), ADATOM_OK);
        ck_assert_uint_eq(size, BYTES);
        for (int i = 1; i < BYTES; i++) ck_assert_int_eq(read[i], read[0]);
        ad_free(read);
    }
    ck_assert_int_eq(entries(false), 1);
}
END_TEST

START_TEST(permissions_stay) {
    const mode_t mask = umask(022);
    write_text(path_of("new"), "1");
    ck_assert_uint_eq(mode_of(path_of("new")), 0644);
    for (int i = 0; i < 3; i++) {
        const mode_t mode = (const mode_t[]){0600, 0640, 0666}[i];
        ck_assert_int_eq(chmod(path_of("new"), mode), 0);
        write_text(path_of("new"), "2");
        ck_assert_uint_eq(mode_of(path_of("new")), mode);
    }
    ck_assert_int_eq(chmod(path_of("new"), 0444), 0);
    ck_assert_int_eq(ad_write_file(ctx, path_of("new"), "3", 1), ADATOM_IO);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "read-only"));
    holds(path_of("new"), "2");
    ck_assert_uint_eq(mode_of(path_of("new")), 0444);
    ck_assert_int_eq(entries(false), 1);
    umask(mask);
}
END_TEST

START_TEST(links_are_followed) {
    char to[PATH_MAX];
    ck_assert_int_eq(mkdir(path_of("store"), 0777), 0);
    put(path_of("store/real"), "old");
    ck_assert_int_eq(symlink("store/real", path_of("relative")), 0);
    snprintf(to, sizeof to, "%s", path_of("relative"));
    ck_assert_int_eq(symlink(to, path_of("absolute")), 0);
    ck_assert_int_eq(symlink("store/later", path_of("dangling")), 0);
    ck_assert_int_eq(symlink("circle", path_of("circle")), 0);
    write_text(path_of("relative"), "1");
    holds(path_of("store/real"), "1");
    write_text(path_of("absolute"), "2");
    holds(path_of("store/real"), "2");
    write_text(path_of("dangling"), "3");
    holds(path_of("store/later"), "3");
    for (int i = 0; i < 3; i++) {
        struct stat info;
        ck_assert_int_eq(lstat(path_of((const char *const[]){"relative", "absolute", "dangling"}[i]), &info), 0);
        ck_assert(S_ISLNK(info.st_mode));
    }
    ck_assert_int_eq(ad_write_file(ctx, path_of("circle"), "4", 1), ADATOM_IO);
    ck_assert_int_eq(unlink(path_of("store/real")) + unlink(path_of("store/later")), 0);
}
END_TEST

/* A link laid under the name that a temporary file once had. */
START_TEST(no_planted_link_is_followed) {
    char name[64];
    snprintf(name, sizeof name, "target.tmp-%ld", (long)getpid());
    put(path_of("victim"), "precious");
    ck_assert_int_eq(symlink("victim", path_of(name)), 0);
    write_text(path_of("target"), "new");
    holds(path_of("victim"), "precious");
    ck_assert_uint_eq(mode_of(path_of("target")), 0644);
}
END_TEST

START_TEST(stale_files_are_removed) {
    put(path_of("target.tmp-0123456789abcdef"), "what a killed writer left");
    put(path_of("target.tmp-fedcba9876543210"), "what another one is writing");
    put(path_of("target.tmp-old"), "somebody's own");
    put(path_of("other.tmp-0123456789abcdef"), "of another target");
    put(path_of("target.tmp-0123456789abcdefg"), "no name of ours");
    ck_assert_int_eq(symlink("target.tmp-old", path_of("target.tmp-00000000000000aa")), 0);
    const int held = open(path_of("target.tmp-fedcba9876543210"), O_RDWR | O_CLOEXEC);
    ck_assert_int_eq(flock(held, LOCK_EX), 0);
    write_text(path_of("target"), "new");
    ck_assert_int_ne(access(path_of("target.tmp-0123456789abcdef"), F_OK), 0);
    ck_assert_int_eq(entries(false), 6);
    close(held);
    write_text(path_of("target"), "new");
    ck_assert_int_eq(entries(false), 5);
    holds(path_of("target.tmp-old"), "somebody's own");
}
END_TEST

/* A writer that is killed in the middle leaves the old file, and what it left is gone after the next one. */
START_TEST(killed_writers) {
    const size_t size = (size_t)64 << 20;
    char *bytes = calloc(size, 1);
    put(path_of("target"), "old");
    for (int i = 0; i < 5; i++) {
        const pid_t child = fork();
        if (child == 0) {
            ad_write_file(ctx, path_of("target"), bytes, size);
            _exit(0);
        }
        usleep(5000 + 3000 * (useconds_t)i);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        struct stat info;
        ck_assert_int_eq(stat(path_of("target"), &info), 0);
        ck_assert(info.st_size == 3 || info.st_size == (off_t)size);
        ck_assert_int_le(entries(false), 2);
    }
    write_text(path_of("target"), "new");
    ck_assert_int_eq(entries(false), 1);
    free(bytes);
}
END_TEST

START_TEST(devices_pipes_and_open_files) {
    char path[64], text[8] = "";
    ck_assert_int_eq(mkfifo(path_of("pipe"), 0600), 0);
    const int reader = open(path_of("pipe"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    write_text(path_of("pipe"), "piped");
    ck_assert_int_eq(read(reader, text, sizeof text), 5);
    ck_assert_str_eq(text, "piped");
    close(reader);
    /* /dev/stdout is such a link; the file stays the one that is open, and what is in it stays. */
    put(path_of("log"), "before ");
    const int open_file = open(path_of("log"), O_WRONLY | O_APPEND | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", open_file);
    write_text(path, "after");
    holds(path_of("log"), "before after");
    close(open_file);
    write_text("/dev/null", "gone");
    ck_assert_int_eq(mkdir(path_of("directory"), 0777), 0);
    ck_assert_int_eq(ad_write_file(ctx, path_of("directory"), "x", 1), ADATOM_IO);
    ck_assert_int_eq(ad_write_file(ctx, path_of("no/such/folder"), "x", 1), ADATOM_IO);
    ck_assert_int_eq(access("/dev/full", F_OK) ? ADATOM_IO : ad_write_file(ctx, "/dev/full", "x", 1), ADATOM_IO);
    ck_assert_int_eq(entries(false), 3);
}
END_TEST

START_TEST(longest_name) {
    char name[NAME_MAX + 1];
    memset(name, 'n', NAME_MAX);
    name[NAME_MAX] = 0;
    write_text(path_of(name), "1");
    write_text(path_of(name), "2");
    holds(path_of(name), "2");
    ck_assert_int_eq(entries(false), 1);
}
END_TEST

START_TEST(abandoned) {
    ad_staged staged;
    put(path_of("target"), "old");
    ck_assert_int_eq(ad_write_stage(ctx, path_of("target"), "new", 3, &staged), ADATOM_OK);
    ck_assert_int_eq(entries(false), 2);
    ad_write_abandon(&staged);
    ck_assert_int_eq(entries(false), 1);
    holds(path_of("target"), "old");
}
END_TEST

START_TEST(harmful_names) {
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"plain, ünïcode, 東京 ± 1", "plain, ünïcode, 東京 ± 1"},
        {"b\033]0;PWNED\a\033[31m", "b\\x1b]0;PWNED\\x07\\x1b[31m"},
        {"line\nbreak\ttab\r", "line\\x0abreak\\x09tab\\x0d"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\u{9b}31m"},
        {"\x9b"
         "31m\xff\xc3",
         "\\x9b31m\\xff\\xc3"},
        {"\xe2\x80\xaegnp.exe\xe2\x81\xa6", "\\u{202e}gnp.exe\\u{2066}"},
        {"\xc0\xaf\xe0\x80\x80\xed\xa0\x80\xf4\x90\x80\x80",
         "\\xc0\\xaf\\xe0\\x80\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"},
        {"back\\slash", "back\\slash"},
    };
    char out[128];
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        ck_assert_uint_eq(adatom_printable(cases[i].text, out, sizeof out), strlen(cases[i].shown));
        ck_assert_str_eq(out, cases[i].shown);
        ck_assert_uint_eq(adatom_printable(cases[i].text, NULL, 0), strlen(cases[i].shown));
    }
    /* Cut between characters. */
    ck_assert_uint_eq(adatom_printable("aü", out, 3), 3);
    ck_assert_str_eq(out, "a");
    ck_assert_uint_eq(adatom_printable("a\033", out, 5), 5);
    ck_assert_str_eq(out, "a");
    /* Messages and log lines. */
    ad_fail(ctx, ADATOM_BAD_DATA, "'%s' is \033bad", "x\033[2J\n");
    ck_assert_str_eq(adatom_context_message(ctx), "'x\\x1b[2J\\x0a' is \\x1bbad");
    /* One that is too long ends with a whole character. */
    char longer[2 * AD_MESSAGE_BYTES];
    for (size_t i = 0; i + 2 < sizeof longer; i += 3) memcpy(longer + i, "東", 3);
    longer[sizeof longer - 2] = 0;
    ad_fail(ctx, ADATOM_BAD_DATA, "%s", longer);
    ck_assert_ptr_null(strchr(adatom_context_message(ctx), '\\'));
    ck_assert_uint_eq(strlen(adatom_context_message(ctx)), AD_MESSAGE_BYTES / 3 * 3);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("write");
    TCase *tests = tcase_create("write");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, many_writers);
    tcase_add_test(tests, permissions_stay);
    tcase_add_test(tests, links_are_followed);
    tcase_add_test(tests, no_planted_link_is_followed);
    tcase_add_test(tests, stale_files_are_removed);
    tcase_add_test(tests, killed_writers);
    tcase_add_test(tests, devices_pipes_and_open_files);
    tcase_add_test(tests, longest_name);
    tcase_add_test(tests, abandoned);
    tcase_add_test(tests, harmful_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}
