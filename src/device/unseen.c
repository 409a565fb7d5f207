#include "device/unseen.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

typedef struct vendor {
    unsigned id;
    const char *name;
    const char *drivers[4]; /* parts of the names of Vulkan's driver files */
    const char *package;
} vendor;
static const vendor vendors[] = {
    {0x10de, "NVIDIA", {"nvidia", "nouveau"}, "that of NVIDIA, or mesa-vulkan-drivers"},
    {0x1002, "AMD", {"radeon", "amd"}, "mesa-vulkan-drivers"},
    {0x8086, "Intel", {"intel"}, "mesa-vulkan-drivers"},
};

/* The hexadecimal number in a file of one line; 0: there is none. */
static unsigned long number_in(const char *path) {
    char text[32] = "";
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    return strtoul(text, NULL, 16);
}

/* A GPU on the PCI bus: its vendor and address. Other display controllers, of servers and virtual machines, have no
 * Vulkan driver anyway. */
static const vendor *find_gpu(const char *root, char address[64]) {
    char path[PATH_BYTES];
    const vendor *found = NULL;
    snprintf(path, sizeof path, "%s/sys/bus/pci/devices", root);
    DIR *folder = opendir(path);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry && !found; entry = readdir(folder)) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%.60s/class", root, entry->d_name);
        if (number_in(path) >> 16 != 0x03) continue; /* display controllers */
        snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%.60s/vendor", root, entry->d_name);
        const unsigned long id = number_in(path);
        for (size_t v = 0; v < AD_COUNT(vendors); v++)
            if (vendors[v].id == id) found = &vendors[v];
        if (found) snprintf(address, 64, "%.60s", entry->d_name);
    }
    if (folder) closedir(folder);
    return found;
}

/* The first file of a folder whose name has one of the parts; false: there is none. */
static bool find_file(const char *root, const char *where, const char *const *parts, char *out, size_t size) {
    char path[PATH_BYTES];
    bool found = false;
    snprintf(path, sizeof path, "%s%s", root, where);
    DIR *folder = opendir(path);
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry && !found; entry = readdir(folder))
        for (size_t p = 0; parts[p] && !found; p++)
            if ((found = strstr(entry->d_name, parts[p]) != NULL))
                snprintf(out, size, "%s%s/%.200s", root, where, entry->d_name);
    if (folder) closedir(folder);
    return found;
}

void ad_unseen_gpu(const char *root, bool has_loader, char *out, size_t size) {
    static const char *const nodes[] = {"renderD", NULL}, *const nvidia_nodes[] = {"nvidiactl", NULL};
    char address[64], node[PATH_BYTES], driver[PATH_BYTES];
    out[0] = 0;
    const vendor *gpu = find_gpu(root, address);
    if (!gpu) return;
    const bool has_node = (gpu->id == 0x10de && find_file(root, "/dev", nvidia_nodes, node, sizeof node)) ||
                          find_file(root, "/dev/dri", nodes, node, sizeof node);
    const bool has_driver = find_file(root, "/usr/share/vulkan/icd.d", gpu->drivers, driver, sizeof driver) ||
                            find_file(root, "/etc/vulkan/icd.d", gpu->drivers, driver, sizeof driver) ||
                            find_file(root, "/usr/local/share/vulkan/icd.d", gpu->drivers, driver, sizeof driver);
    const int used = snprintf(out, size, "a GPU of %s is there (%s), but ", gpu->name, address);
    char *rest = out + AD_MIN((size_t)used, size - 1);
    const size_t room = size - (size_t)(rest - out);
    if (!has_loader)
        snprintf(rest, room, "the Vulkan loader is not installed (Debian: libvulkan1)");
    else if (!has_node)
        snprintf(rest, room, "the system offers no device to open it by: its kernel driver is not loaded");
    else if (access(node, R_OK | W_OK) != 0)
        snprintf(rest, room, "this user may not open %s: ask to be made a member of its group", node + strlen(root));
    else if (!has_driver)
        snprintf(rest, room, "no Vulkan driver of it is installed (Debian: %s)", gpu->package);
    else
        snprintf(rest, room, "its Vulkan driver does not offer it; 'vulkaninfo --summary' may say why");
}
