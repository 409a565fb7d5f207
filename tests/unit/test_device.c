/* Listing, choosing and opening devices (include/adatom/device.h). */
#include "device/device.h"
#include "tests/run_suite.h"
#include "tests/support/hooks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static adatom_context *ctx;

enum { LLVMPIPE, IRIS, NVIDIA, VIRTUAL, CPU, COUNT };
static const adatom_device_info many[COUNT] = {
    {.index = 0,
     .backend = "vulkan",
     .name = "llvmpipe (LLVM 15)",
     .type = "software",
     .uuid = "6d6573613232000000000000000000ff",
     .usable = true},
    {.index = 1,
     .backend = "vulkan",
     .name = "Intel Iris Xe",
     .type = "integrated",
     .uuid = "868000000000000000000000000000aa",
     .pci = "0000:00:02.0",
     .usable = true},
    {.index = 2,
     .backend = "vulkan",
     .name = "NVIDIA RTX 2000",
     .type = "discrete",
     .uuid = "12345678deadbeef0000000000000000",
     .pci = "0000:65:00.0",
     .usable = true},
    {.index = 3,
     .backend = "vulkan",
     .name = "Virtio NVIDIA",
     .type = "virtual",
     .uuid = "bbbb00000000000000000000000000bb",
     .usable = true},
    {.index = 4, .backend = "cpu", .name = "AMD EPYC", .type = "cpu", .threads = 2, .usable = true},
};
static adatom_device_info few[2]; /* llvmpipe and the CPU engine */

static void setup(void) {
    few[0] = many[LLVMPIPE];
    few[1] = many[CPU];
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
}

static void teardown(void) { adatom_context_destroy(&ctx); }

static int select_of(const adatom_device_info *infos, int count, const char *select, char reason[512]) {
    int index = -2;
    char unused[512];
    adatom_status status = ad_device_select(ctx, infos, count, select, &index, reason ? reason : unused, 512);
    ck_assert_int_eq(status, index < 0 ? ADATOM_NO_DEVICE : ADATOM_OK);
    return index;
}

START_TEST(selection_rules) {
    static const struct {
        const char *select;
        int index;
    } cases[] = {
        {NULL, NVIDIA},
        {"auto", NVIDIA},
        {"vulkan", NVIDIA},
        {"cpu", CPU},
        {"0", LLVMPIPE},
        {"4", CPU},
        {"5", -1},
        {"12345678", NVIDIA},
        {"12345678-DEADBEEF", NVIDIA},
        {"12345678-dead-beef-0000-000000000000", NVIDIA},
        {"12345679", -1},
        {"86800000", IRIS},
        {"0000:65:00.0", NVIDIA},
        {"65:00.0", NVIDIA},
        {"00:02.0", IRIS},
        {"66:00.0", -1},
        {"5:00.0", -1},
        {"iris", IRIS},
        {"nvidia", NVIDIA},
        {"virtio", VIRTUAL},
        {"epyc", CPU},
        {"radeon", -1},
        {"", -1},
    };
    for (size_t i = 0; i < AD_COUNT(cases); i++) {
        int got = select_of(many, COUNT, cases[i].select, NULL);
        ck_assert_msg(got == cases[i].index, "'%s' chose %d, not %d", cases[i].select, got, cases[i].index);
    }
}
END_TEST

START_TEST(automatic_never_takes_software) {
    char reason[512];
    ck_assert_int_eq(select_of(few, 2, NULL, reason), 1);
    ck_assert_msg(strstr(reason, "cpu: AMD EPYC (2 threads), because no Vulkan GPU was found") == reason, "%s", reason);
    ck_assert_int_eq(select_of(few, 2, "vulkan", NULL), 0);
    ck_assert_int_eq(select_of(few + 1, 1, "vulkan", NULL), -1);
    ck_assert_int_eq(select_of(many + 1, 4, NULL, NULL), 1);
    const adatom_device_info no_discrete[] = {many[VIRTUAL], many[IRIS], many[CPU]};
    ck_assert_int_eq(select_of(no_discrete, 3, NULL, NULL), 1);
}
END_TEST

/* A GPU that lacks what kernels need: passed over with the reason, refused when asked for. */
START_TEST(unusable_devices) {
    adatom_device_info infos[COUNT];
    char reason[512];
    memcpy(infos, many, sizeof infos);
    infos[NVIDIA].usable = false;
    snprintf(infos[NVIDIA].reason, sizeof infos[NVIDIA].reason,
             "kernels bind 7 storage buffers a stage, this device allows 4");
    ck_assert_int_eq(select_of(infos, COUNT, NULL, reason), IRIS);
    ck_assert_str_eq(
        reason,
        "vulkan: Intel Iris Xe (integrated), the best Vulkan GPU that can be used (NVIDIA RTX 2000: kernels bind 7 "
        "storage buffers a stage, this device allows 4)");
    ck_assert_int_eq(select_of(infos, COUNT, "vulkan", NULL), IRIS);
    ck_assert_int_eq(select_of(infos, COUNT, "rtx", NULL), -1);
    ck_assert_str_eq(adatom_context_message(ctx),
                     "NVIDIA RTX 2000, asked for by 'rtx', cannot be used: kernels bind 7 storage buffers a "
                     "stage, this device allows 4");
    ck_assert_int_eq(select_of(infos, COUNT, "2", NULL), -1);
    ck_assert_int_eq(select_of(infos, COUNT, "cpu", NULL), CPU);
    infos[IRIS].usable = infos[VIRTUAL].usable = false;
    ck_assert_int_eq(select_of(infos, COUNT, NULL, reason), CPU);
    ck_assert_msg(
        strstr(reason,
               "because no Vulkan GPU can be used (llvmpipe (LLVM 15) is software and used only when asked for; Intel"),
        "%s", reason);
    infos[LLVMPIPE].usable = false;
    ck_assert_int_eq(select_of(infos, COUNT, "vulkan", NULL), -1);
    ck_assert_msg(strstr(adatom_context_message(ctx), "2 = NVIDIA RTX 2000 (discrete; not usable: kernels bind 7 "),
                  "%s", adatom_context_message(ctx));
}
END_TEST

START_TEST(a_failed_match_lists_what_there_is) {
    ck_assert_int_eq(select_of(few, 2, "radeon", NULL), -1);
    const char *message = adatom_context_message(ctx);
    ck_assert_msg(strstr(message, "'radeon'") && strstr(message, "0 = llvmpipe (LLVM 15)") &&
                      strstr(message, "1 = AMD EPYC"),
                  "%s", message);
}
END_TEST

START_TEST(list_and_open) {
    adatom_device_info infos[66] = {ADATOM_INIT(adatom_device_info)}; /* the first tells the size of all */
    size_t count = 0, again = 0;
    ck_assert_int_eq(adatom_device_list(ctx, NULL, 0, &count), ADATOM_OK);
    ck_assert_uint_ge(count, 1);
    ck_assert_uint_lt(count, 66);
    ck_assert_int_eq(adatom_device_list(ctx, infos, 66, &again), ADATOM_OK);
    ck_assert_uint_eq(count, again);
    for (size_t i = 0; i < count; i++) ck_assert_int_eq(infos[i].index, (int)i);
    ck_assert_str_eq(infos[count - 1].backend, "cpu");
    for (size_t i = 0; i < count; i++) {
        char select[24];
        adatom_device_info info = ADATOM_INIT(adatom_device_info);
        adatom_device *device = NULL;
        snprintf(select, sizeof select, "%zu", i);
        const adatom_device_params params = {.size = sizeof(adatom_device_params), .select = select, .threads = 1};
        ck_assert_msg(adatom_device_open(ctx, &params, &device) == ADATOM_OK, "%s: %s", select,
                      adatom_context_message(ctx));
        adatom_device_describe(device, &info);
        ck_assert_str_eq(info.name, infos[i].name);
        ck_assert_str_eq(info.uuid, infos[i].uuid);
        ck_assert_int_eq(info.index, (int)i);
        ck_assert_uint_gt(info.memory_bytes, 0);
        ck_assert_ptr_nonnull(strstr(adatom_device_reason(device), info.name));
        ad_limits limits;
        device->engine->api->limits(device->engine, &limits);
        ck_assert_uint_gt(limits.tensor_bytes, 0);
        ck_assert_uint_gt(limits.arena_bytes, 0);
        ck_assert_uint_gt(limits.memory_bytes, 0);
        adatom_device_destroy(&device);
        ck_assert_ptr_null(device);
    }
    adatom_device *none = NULL;
    ck_assert_int_eq(
        adatom_device_open(
            ctx, &(adatom_device_params){.size = sizeof(adatom_device_params), .select = "no such device"}, &none),
        ADATOM_NO_DEVICE);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(
        adatom_device_open(ctx, &(adatom_device_params){.size = sizeof(adatom_device_params), .threads = -1}, &none),
        ADATOM_USAGE);
    adatom_device_destroy(&none);
    adatom_device_destroy(NULL);
}
END_TEST

START_TEST(open_with_precision) {
    adatom_device *device = NULL;
    adatom_device_info info = ADATOM_INIT(adatom_device_info);
    ck_assert_int_eq(adatom_device_open(ctx,
                                        &(adatom_device_params){.size = sizeof(adatom_device_params),
                                                                .select = "cpu",
                                                                .precision = ADATOM_PRECISION_FP16},
                                        &device),
                     ADATOM_OK);
    adatom_device_describe(device, &info);
    ck_assert_int_eq(info.precision, ADATOM_PRECISION_FP16);
    ck_assert_int_eq(info.index, -1);
    ck_assert_str_eq(info.features, "half-storage");
    adatom_device_destroy(&device);
    ck_assert_int_eq(adatom_device_open(ctx,
                                        &(adatom_device_params){.size = sizeof(adatom_device_params),
                                                                .select = "cpu",
                                                                .precision = (adatom_precision)9},
                                        &device),
                     ADATOM_USAGE);
    ck_assert_int_eq(adatom_device_open(ctx,
                                        &(adatom_device_params){.size = sizeof(adatom_device_params),
                                                                .select = "cpu",
                                                                .precision = ADATOM_PRECISION_FP32},
                                        &device),
                     ADATOM_OK);
    adatom_device_describe(device, &info);
    ck_assert_int_eq(info.precision, ADATOM_PRECISION_FP32);
    ck_assert_str_eq(info.features, "");
    adatom_device_destroy(&device);
}
END_TEST

/* Every allocation in turn fails: an error, never a crash or a half-open device. */
START_TEST(open_without_memory) {
    adatom_device *device = NULL;
    int n = 0;
    for (; !device; n++) {
        ck_assert_int_lt(n, 1000);
        ad_test_fail_allocation(n);
        adatom_status status = adatom_device_open(
            ctx, &(adatom_device_params){.size = sizeof(adatom_device_params), .select = "0", .threads = 1}, &device);
        ad_test_fail_allocation(-1);
        ck_assert_int_eq(status, device ? ADATOM_OK : ADATOM_OUT_OF_MEMORY);
    }
    adatom_device_destroy(&device);
    ck_assert_int_gt(n, 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("device");
    TCase *tests = tcase_create("device");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, selection_rules);
    tcase_add_test(tests, automatic_never_takes_software);
    tcase_add_test(tests, unusable_devices);
    tcase_add_test(tests, a_failed_match_lists_what_there_is);
    tcase_add_test(tests, list_and_open);
    tcase_add_test(tests, open_with_precision);
    tcase_add_test(tests, open_without_memory);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
