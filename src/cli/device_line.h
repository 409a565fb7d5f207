/* What a device can do, in one line and as JSON: shown wherever a benchmark's numbers are, since they follow from it.
 */
#ifndef CLI_DEVICE_LINE_H
#define CLI_DEVICE_LINE_H

#include "cli.h"
#include <jansson.h>

enum { CAPABILITIES = 1280 };
/* "line" (of fewer than CAPABILITIES bytes), and each part of it as a member of its own. A Vulkan device: "driver;
 * version; subgroups; ... ; timestamps", always in this order, with "no ..." for what there is not. The CPU engine:
 * instruction set, threads, the BLAS it is compared with (which is loaded for that). Names are as they are. */
json_t *capabilities_object(struct cli *cli, const adatom_device_info *info);
#endif
