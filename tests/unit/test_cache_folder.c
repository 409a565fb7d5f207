/* Caches are kept and believed only in folders in which nobody else can write. */
#include "base/base.h"
#include "tests/run_suite.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static adatom_context *ctx;
static char folder[] = "/tmp/adatom-folder-XXXXXX", warning[512];

static void on_log(void *user, adatom_log_level level, const char *text) {
    (void)user;
    if (level == ADATOM_LOG_WARNING) snprintf(warning, sizeof warning, "%s", text);
}

static void setup(void) {
    const adatom_context_params params = {.size = sizeof(adatom_context_params), .log = on_log};
    ck_assert_int_eq(adatom_context_create(&params, &ctx), ADATOM_OK);
    strcpy(folder + sizeof folder - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    umask(0);
}

static void teardown(void) {
    adatom_context_destroy(&ctx);
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    ck_assert_int_eq(system(command), 0);
}

static const char *path_of(const char *name) {
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

START_TEST(made_for_the_user_alone) {
    struct stat info;
    ck_assert(ad_cache_folder(ctx, path_of("a/b")));
    ck_assert_int_eq(stat(path_of("a/b"), &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0700);
    ck_assert_str_eq(warning, "");
}
END_TEST

START_TEST(folders_of_others) {
    static const struct {
        mode_t mode;
        bool used;
    } cases[] = {{0700, true}, {0755, true}, {0775, false}, {0777, false}, {01777, false}, {0702, false}};
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        warning[0] = 0;
        mkdir(path_of("c"), 0700);
        ck_assert_int_eq(chmod(path_of("c"), cases[i].mode), 0);
        ck_assert_msg(ad_cache_folder(ctx, path_of("c")) == cases[i].used, "mode %o", (unsigned)cases[i].mode);
        ck_assert_int_eq(strstr(warning, "others may write in it") != NULL, !cases[i].used);
    }
    if (geteuid() != 0) return; /* only root can give away */
    ck_assert_int_eq(chmod(path_of("c"), 0700), 0);
    ck_assert_int_eq(chown(path_of("c"), 12345, 12345), 0);
    ck_assert(!ad_cache_folder(ctx, path_of("c")));
    ck_assert_ptr_nonnull(strstr(warning, "another user (12345)"));
    ck_assert_int_eq(mkdir(path_of("own"), 0700), 0);
    ck_assert_int_eq(symlink("own", path_of("link")), 0);
    ck_assert(ad_cache_folder(ctx, path_of("link")));
    ck_assert_int_eq(lchown(path_of("link"), 12345, 12345), 0);
    ck_assert(!ad_cache_folder(ctx, path_of("link")));
    ck_assert(!ad_cache_folder(ctx, path_of("link/")));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache_folder");
    TCase *tests = tcase_create("cache_folder");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, made_for_the_user_alone);
    tcase_add_test(tests, folders_of_others);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK);
}
