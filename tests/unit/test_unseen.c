/* A GPU on the PCI bus that Vulkan does not offer: what it lacks, in a made-up root folder. */
#include "device/unseen.h"
#include "tests/unit/data_files.h"

static char said[512];

static const char *look(bool has_loader) {
    ad_unseen_gpu(test_folder, has_loader, said, sizeof said);
    return said;
}

static void says(bool has_loader, const char *part) {
    ck_assert_msg(strstr(look(has_loader), part) != NULL, "'%s' is not in '%s'", part, said);
}

START_TEST(no_gpu) {
    ck_assert_str_eq(look(true), "");
    put_text("sys/bus/pci/devices/0000:00:1f.0/class", "0x060100\n"); /* a bridge of Intel */
    put_text("sys/bus/pci/devices/0000:00:1f.0/vendor", "0x8086\n");
    put_text("sys/bus/pci/devices/0000:00:02.0/class", "0x030000\n"); /* a server's display controller */
    put_text("sys/bus/pci/devices/0000:00:02.0/vendor", "0x1a03\n");
    ck_assert_str_eq(look(false), "");
}
END_TEST

START_TEST(amd) {
    put_text("sys/bus/pci/devices/0000:03:00.0/class", "0x038000\n");
    put_text("sys/bus/pci/devices/0000:03:00.0/vendor", "0x1002\n");
    says(false, "a GPU of AMD is there (0000:03:00.0), but the Vulkan loader is not installed (Debian: libvulkan1)");
    says(true, "its kernel driver is not loaded");
    put_text("dev/dri/renderD128", "");
    says(true, "no Vulkan driver of it is installed (Debian: mesa-vulkan-drivers)");
    put_text("usr/share/vulkan/icd.d/lvp_icd.x86_64.json", "{}"); /* the software driver is none of it */
    says(true, "no Vulkan driver of it is installed");
    put_text("usr/share/vulkan/icd.d/radeon_icd.x86_64.json", "{}");
    says(true, "does not offer it");
    if (geteuid() == 0) return; /* whom no right is missing */
    ck_assert_int_eq(chmod(in_test("dev/dri/renderD128"), 0), 0);
    says(true, "this user may not open /dev/dri/renderD128");
}
END_TEST

START_TEST(nvidia) {
    put_text("sys/bus/pci/devices/0000:65:00.0/class", "0x030200\n");
    put_text("sys/bus/pci/devices/0000:65:00.0/vendor", "0x10de\n");
    says(true, "a GPU of NVIDIA is there (0000:65:00.0), but the system offers no device");
    put_text("dev/nvidiactl", "");
    says(true, "no Vulkan driver of it is installed (Debian: that of NVIDIA, or mesa-vulkan-drivers)");
    put_text("etc/vulkan/icd.d/nvidia_icd.json", "{}");
    says(true, "does not offer it");
    char brief[16]; /* what does not fit is cut */
    ad_unseen_gpu(test_folder, true, brief, sizeof brief);
    ck_assert_str_eq(brief, "a GPU of NVIDIA");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("GPUs that Vulkan does not offer");
    TCase *cases = tcase_create("machines");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, no_gpu);
    tcase_add_test(cases, amd);
    tcase_add_test(cases, nvidia);
    suite_add_tcase(suite, cases);
    return run_suite(suite, CK_FORK);
}
