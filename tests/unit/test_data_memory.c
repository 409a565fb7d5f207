/* Data sets while memory is lacking: each allocation of opening one fails once, with a cache that is new, that is there
 * and that is partly there, and with archives of links. Either the right pictures come of it, or one sentence. */
#include "data_files.h"
#include "tests/support/hooks.h"

#include <fcntl.h>

static char red[64], blue[64], green[64];

static void put_all(void) {
    const size_t size = make_colours(red, blue, green);
    const stored tar[] = {LINK_OF("a/2.ppm", "ha/1.ppm"),    FILE_OF("a/1.ppm", red),
                          FILE_OF("b/1.ppm", blue),          LINK_OF("b/2.ppm", "s1.ppm"),
                          LINK_OF("b/3.ppm", "s../a/2.ppm"), FILE_OF("store/x/01ab", green),
                          LINK_OF("c", "sstore/linked"),     FILE_OF("store/linked/1.ppm", green),
                          LINK_OF("b/lost.ppm", "snowhere"), LINK_OF("b/4.ppm", "s../store/x/01ab"),
                          FILE_OF("b/notes.xcf", red),       FILE_OF("d/Thumbs.db", red),
                          FILE_OF("../out.ppm", red)};
    const stored zip[] = {FILE_OF("a/caf\xC3\xA9.ppm", red),
                          FILE_OF("a/\x94L.ppm", blue),
                          FILE_OF("b/1.ppm", green),
                          {.name = "b/list.csv", .content = "no list", .size = 7},
                          {.name = "b/2.svg", .content = "<svg/>", .size = 6}};
    put_tar("links.tar", tar, AD_COUNT(tar));
    put_zip("names.zip", zip, AD_COUNT(zip));
    put_file("folder/a/1.ppm", red, size);
    put_file("folder/a/2.ppm", blue, size);
    put_file("folder/b/1.ppm", green, size);
    put_text("folder/b/page.svg", "<svg/>");
    put_text("folder/list.csv", "filename,label\na/1.ppm,x\nb/1.ppm,y\na/2.ppm,y\n");
}

/* Files that are older than the cache is careful about. */
static void make_old(const char *relative) {
    const struct timespec times[2] = {{.tv_sec = 1700000000}, {.tv_sec = 1700000000}};
    ck_assert_int_eq(utimensat(AT_FDCWD, in_test(relative), times, 0), 0);
}

typedef enum cache_kind { NO_CACHE, COLD, WARM, ONLY_PICTURES, ONLY_SOURCES } cache_kind;

static const char *removed; /* files whose names begin so go */
static int remove_some(const char *path, const struct stat *info, int type, struct FTW *where) {
    (void)info;
    if (type == FTW_F && !strncmp(path + where->base, removed, strlen(removed))) unlink(path);
    return 0;
}
static void remove_cached(const char *beginning) {
    removed = beginning;
    nftw(in_test("cache"), remove_some, 16, FTW_PHYS);
}

static void prepare(const char *spec, cache_kind kind, const adatom_dataset_params *params) {
    if (kind == NO_CACHE) return;
    remove_cached("");
    if (kind == COLD) return;
    adatom_dataset *d = open_well(spec, params);
    adatom_dataset_destroy(&d);
    if (kind == ONLY_PICTURES) remove_cached("sources-");
    if (kind == ONLY_SOURCES) remove_cached("pictures-");
}

static void sweep(const char *relative, cache_kind kind) {
    char spec[128], hash[17], cache[128];
    snprintf(spec, sizeof spec, "%s", strcmp(relative, "builtin") ? in_test(relative) : "builtin:shapes/val");
    snprintf(cache, sizeof cache, "%s", in_test("cache"));
    const adatom_dataset_params params = {.size = sizeof(adatom_dataset_params),
                                          .image_size = 3,
                                          .threads = 1,
                                          .builtin_per_class = 1,
                                          .cache_dir = kind == NO_CACHE ? NULL : cache};
    prepare(spec, kind == NO_CACHE ? NO_CACHE : COLD, &params);
    adatom_dataset *d = open_well(spec, &params);
    memcpy(hash, describe(d).hash, sizeof hash);
    const size_t images = describe(d).images;
    const size_t passed = describe(d).passed_over;
    adatom_dataset_destroy(&d);
    bool came = true;
    if (kind == WARM) prepare(spec, kind, &params);
    long failures = 0;
    for (long n = 0; came; n++) {
        if (kind != WARM) prepare(spec, kind, &params);
        warnings = 0;
        ad_test_fail_allocation(n);
        const adatom_status status = adatom_dataset_open(ctx, spec, &params, &d);
        came = ad_test_fail_allocation(-1) < 0;
        failures += came;
        if (status == ADATOM_OK) {
            ck_assert_msg(!strcmp(describe(d).hash, hash) && describe(d).images == images,
                          "%s (%d), allocation %ld: other pictures", spec, (int)kind, n);
            ck_assert_uint_eq(describe(d).passed_over, passed);
            if (came) ck_assert_msg(warnings > 0, "%s (%d), allocation %ld: nothing is said", spec, (int)kind, n);
            adatom_dataset_destroy(&d);
        } else {
            ck_assert_msg(status == ADATOM_OUT_OF_MEMORY && came, "%s (%d), allocation %ld: %s: %s", spec, (int)kind, n,
                          adatom_status_name(status), adatom_context_message(ctx));
            ck_assert_ptr_null(d);
            ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "memory"));
        }
        if (kind != COLD || n % 3 != 0) continue;
        /* What a failure left in the cache serves the next call as well as none. */
        d = open_well(spec, &params);
        ck_assert_msg(!strcmp(describe(d).hash, hash), "%s (%d), after allocation %ld: other pictures", spec, (int)kind,
                      n);
        adatom_dataset_destroy(&d);
    }
    ck_assert_int_gt(failures, 5);
}

START_TEST(any_allocation_may_fail) {
    static const struct {
        const char *name;
        bool with[ONLY_SOURCES +
                  1]; /* of each kind of cache; all would take long, as what is kept is brought to the disk */
    } specs[] = {{"links.tar", {true, true, true, false, true}},
                 {"names.zip", {true, false, true, false, false}},
                 {"folder", {true, true, true, true, false}},
                 {"folder/list.csv", {true, false, true, false, false}},
                 {"builtin", {false, true, true, false, false}}};
    static const char *const files[] = {"links.tar", "names.zip", "folder/a/1.ppm", "folder/a/2.ppm", "folder/b/1.ppm"};
    put_all();
    for (size_t i = 0; i < AD_COUNT(files); i++) make_old(files[i]);
    for (size_t i = 0; i < AD_COUNT(specs); i++)
        for (cache_kind kind = NO_CACHE; kind <= ONLY_SOURCES; kind++)
            if (specs[i].with[kind]) sweep(specs[i].name, kind);
}
END_TEST

int main(void) {
    TCase *tests = tcase_create("memory");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, any_allocation_may_fail);
    Suite *suite = suite_create("data: memory");
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
