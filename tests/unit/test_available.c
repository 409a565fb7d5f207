/* What memory a process can still have (base/available.c): fake trees of /proc and /sys, as systems and containers show
 * them. */
#include "base/base.h"
#include "tests/run_suite.h"
#include <adatom/dataset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB(n) ((uint64_t)(n) << 20)

static char root[64];

static void setup(void) {
    snprintf(root, sizeof root, "/tmp/adatom-available-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void teardown(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0);
}

/* Writes a file below the root, with the folders it needs. */
static void put(const char *name, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", root, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    ck_assert_msg(file && fputs(text, file) >= 0 && fclose(file) == 0, "cannot write %s", path);
}

static void put_number(const char *folder, const char *name, uint64_t number) {
    char path[512], text[32];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)number);
    put(path, text);
}

static void put_meminfo(void) {
    put("/proc/meminfo", "MemTotal: 8388608 kB\nMemFree: 1 kB\nMemAvailable:    4194304 kB\n");
}
static uint64_t available(void) { return ad_available_bytes_in(root); }

#define MOUNT_2 "35 31 0:32 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
#define MOUNTS_1                                                                                                       \
    "30 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"                                              \
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"

START_TEST(system_alone) {
    ck_assert_uint_eq(available(), 0); /* nothing is told */
    put_meminfo();
    ck_assert_uint_eq(available(), MIB(4096));
    put("/proc/self/mountinfo", "nonsense\n\n35 31 0:32 / /sys/fs/cgroup rw - \n");
    put("/proc/self/cgroup", "nonsense\n0:\n::\n");
    ck_assert_uint_eq(available(), MIB(4096));
}
END_TEST

START_TEST(version_2) {
    put_meminfo();
    put("/proc/self/mountinfo", MOUNT_2);
    put("/proc/self/cgroup", "0::/jobs/mine\n");
    put("/sys/fs/cgroup/jobs/mine/memory.max", "max\n");
    put_number("/sys/fs/cgroup/jobs/mine", "memory.current", MIB(100));
    ck_assert_uint_eq(available(), MIB(4096)); /* no limit */
    put_number("/sys/fs/cgroup/jobs/mine", "memory.max", MIB(300));
    ck_assert_uint_eq(available(), MIB(200));
    /* File pages that are given up when memory is short don't count. */
    put("/sys/fs/cgroup/jobs/mine/memory.stat", "anon 1\ninactive_file 52428800\nactive_file 7\n");
    ck_assert_uint_eq(available(), MIB(250));
    /* A group above has less left. */
    put_number("/sys/fs/cgroup/jobs", "memory.max", MIB(1000));
    put_number("/sys/fs/cgroup/jobs", "memory.current", MIB(900));
    ck_assert_uint_eq(available(), MIB(100));
    put_number("/sys/fs/cgroup/jobs", "memory.max", MIB(8000));
    ck_assert_uint_eq(available(), MIB(250));
    put_number("/sys/fs/cgroup/jobs/mine", "memory.high", MIB(200));
    ck_assert_uint_eq(available(), MIB(150));
    /* A full group leaves nothing, which is not "unknown". */
    put_number("/sys/fs/cgroup/jobs/mine", "memory.max", MIB(10));
    ck_assert_uint_eq(available(), 1);
}
END_TEST

/* A container with a namespace of its own sees itself as "/", and its limit where the mount begins. */
START_TEST(container_version_2) {
    put_meminfo();
    put("/proc/self/mountinfo", MOUNT_2);
    put("/proc/self/cgroup", "0::/\n");
    put_number("/sys/fs/cgroup", "memory.max", MIB(512));
    put_number("/sys/fs/cgroup", "memory.current", MIB(12));
    ck_assert_uint_eq(available(), MIB(500));
}
END_TEST

START_TEST(version_1) {
    put_meminfo();
    put("/proc/self/mountinfo", MOUNTS_1);
    put("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,cpuacct:/cpu\n3:memory:/a/b\n0::/\n");
    put_number("/sys/fs/cgroup/memory/a/b", "memory.limit_in_bytes", 9223372036854771712u);
    put_number("/sys/fs/cgroup/memory/a/b", "memory.usage_in_bytes", MIB(100));
    ck_assert_uint_eq(available(), MIB(4096));
    put_number("/sys/fs/cgroup/memory/a", "memory.limit_in_bytes", MIB(300));
    put_number("/sys/fs/cgroup/memory/a", "memory.usage_in_bytes", MIB(290));
    put("/sys/fs/cgroup/memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 104857600\n");
    ck_assert_uint_eq(available(), MIB(110));
}
END_TEST

/* A container without a namespace: the mount shows the container's group as its root, /proc tells the whole name. */
START_TEST(container_version_1) {
    put_meminfo();
    put("/proc/self/mountinfo", "35 31 0:32 /docker/1f /sys/fs/cgroup/my\\040memory ro - cgroup cgroup rw,memory\n");
    put("/proc/self/cgroup", "3:memory:/docker/1f/inner\n");
    put_number("/sys/fs/cgroup/my memory", "memory.limit_in_bytes", MIB(64));
    put_number("/sys/fs/cgroup/my memory", "memory.usage_in_bytes", MIB(60));
    ck_assert_uint_eq(available(), MIB(4));
    put_number("/sys/fs/cgroup/my memory/inner", "memory.limit_in_bytes", MIB(32));
    put_number("/sys/fs/cgroup/my memory/inner", "memory.usage_in_bytes", MIB(30));
    ck_assert_uint_eq(available(), MIB(2));
    put("/proc/self/cgroup", "3:memory:/elsewhere\n"); /* not below what is shown: what is shown counts */
    ck_assert_uint_eq(available(), MIB(4));
}
END_TEST

START_TEST(sizes_in_words) {
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {{0, "0 bytes"}, {1023, "1023 bytes"}, {4096, "4 KiB"}, {300 << 10, "300 KiB"}, {3 << 19, "1.5 MiB"}};
    char text[32];
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        ad_bytes_text(cases[i].bytes, text);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

/* More pictures than the machine has memory for: refused before anything is made, with what they need. */
START_TEST(data_beyond_memory) {
    adatom_context *ctx = NULL;
    adatom_dataset *data = NULL;
    OK(adatom_context_create(NULL, &ctx));
    const uint64_t all = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGE_SIZE);
    const adatom_dataset_params params = {.size = sizeof(adatom_dataset_params),
                                          .image_size = 1024,
                                          .split = "base",
                                          .builtin_per_class = (int)(all / ((uint64_t)3 << 20) / 64) + 1};
    ck_assert_int_eq(adatom_dataset_open(ctx, "builtin:shapes", &params, &data), ADATOM_OUT_OF_MEMORY);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "pictures of 1024 x 1024 need ") && strstr(message, " are available"), "%s", message);
    adatom_context_destroy(&ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("available");
    TCase *tests = tcase_create("available");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, system_alone);
    tcase_add_test(tests, version_2);
    tcase_add_test(tests, container_version_2);
    tcase_add_test(tests, version_1);
    tcase_add_test(tests, container_version_1);
    tcase_add_test(tests, sizes_in_words);
    tcase_add_test(tests, data_beyond_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_FORK_GETENV);
}
