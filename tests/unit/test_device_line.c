/* The line on what a device can do, of devices that are not here. */
#include "device_line.h"
#include "report.h"
#include "tests/run_suite.h"

#include <string.h>

static struct cli cli;

static adatom_device_info gpu(void) {
    adatom_device_info info = {.backend = "vulkan",
                               .name = "GPU",
                               .driver_name = "radv",
                               .driver_info = "Mesa 25.1.0",
                               .api = "1.4.309",
                               .subgroup = 64,
                               .subgroup_least = 32,
                               .subgroup_most = 64,
                               .shared_bytes = 65536,
                               .fp16 = true,
                               .fp16_storage = true,
                               .bf16 = true,
                               .int8 = true,
                               .int8_storage = true,
                               .int8_dot = true,
                               .timer_bits = 64,
                               .timer_ns = 10};
    strcpy(info.matrix_units, "16x16x16 f16→f32, 16x16x16 s8→s32");
    return info;
}

static void check(const adatom_device_info *info, const char *expected) {
    json_t *object = capabilities_object(&cli, info);
    ck_assert_str_eq(json_string_value(json_object_get(object, "line")), expected);
    json_decref(object);
}

START_TEST(rich_and_poor) {
    adatom_device_info info = gpu();
    check(&info,
          "radv Mesa 25.1.0; Vulkan 1.4.309; subgroups of 64 (32 to 64); fp16; bf16; int8 with fast dot products; "
          "matrix units 16x16x16 f16→f32, 16x16x16 s8→s32; 64 KiB shared memory; memory of its own; timestamps of "
          "10 ns (64 bits)");
    json_t *object = capabilities_object(&cli, &info), *matrix = json_object_get(object, "matrix_units");
    ck_assert_uint_eq(json_array_size(matrix), 2);
    ck_assert_str_eq(json_string_value(json_array_get(matrix, 1)), "16x16x16 s8→s32");
    json_decref(object);

    info.fp16 = info.bf16 = info.int8 = info.int8_dot = false;
    info.unified_memory = true;
    info.subgroup_least = info.subgroup_most = info.subgroup = 16;
    info.matrix_units[0] = 0;
    info.timer_bits = 0;
    check(&info,
          "radv Mesa 25.1.0; Vulkan 1.4.309; subgroups of 16; fp16 in storage only; no bf16; int8 in storage only; "
          "no matrix units; 64 KiB shared memory; unified memory; no timestamps");
    info.fp16_storage = info.int8_storage = false;
    check(&info,
          "radv Mesa 25.1.0; Vulkan 1.4.309; subgroups of 16; no fp16; no bf16; no int8; no matrix units; 64 KiB "
          "shared memory; unified memory; no timestamps");
}
END_TEST

/* A driver of Vulkan 1.0 tells only its version and limits, and nothing is said of the rest. */
START_TEST(given_up_early) {
    adatom_device_info info = {
        .backend = "vulkan", .driver_info = "0x00401000", .api = "1.0.65", .shared_bytes = 32768};
    check(&info, "0x00401000; Vulkan 1.0.65; 32 KiB shared memory");
}
END_TEST

/* Names fill their members, and the line has room for all of them. */
START_TEST(long_names) {
    adatom_device_info info = gpu();
    memset(info.driver_name, 'n', sizeof info.driver_name - 1);
    memset(info.driver_info, 'i', sizeof info.driver_info - 1);
    memset(info.matrix_units, '8', sizeof info.matrix_units - 1);
    json_t *object = capabilities_object(&cli, &info);
    const char *line = json_string_value(json_object_get(object, "line"));
    const size_t length = strlen(line);
    ck_assert_str_eq(line + length - strlen("(64 bits)"), "(64 bits)");
    json_decref(object);
}
END_TEST

START_TEST(the_processor) {
    adatom_device_info info = {.backend = "cpu", .api = "avx512", .threads = 1, .unified_memory = true};
    ck_assert_int_eq(adatom_context_create(NULL, &cli.ctx), ADATOM_OK);
    json_t *object = capabilities_object(&cli, &info);
    const char *line = json_string_value(json_object_get(object, "line"));
    ck_assert_msg(strcmp(line, "avx512; 1 thread; no OpenBLAS") == 0 ||
                      strncmp(line, "avx512; 1 thread; OpenBLAS ", 27) == 0,
                  "%s", line);
    json_decref(object);
    adatom_context_destroy(&cli.ctx);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("device_line");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, rich_and_poor);
    tcase_add_test(tests, given_up_early);
    tcase_add_test(tests, long_names);
    tcase_add_test(tests, the_processor);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
