/* GPUs that this machine has and Vulkan does not offer: what is missing for them. */
#ifndef AD_DEVICE_UNSEEN_H
#define AD_DEVICE_UNSEEN_H

#include "base/base.h"

/* One clause on a GPU of NVIDIA, AMD or Intel on the PCI bus and what it lacks (the loader, the kernel's driver, the
 * right to open it, a Vulkan driver), or "" if there is no such GPU. root: the root folder, "" but in tests;
 * has_loader: whether the Vulkan loader is there. */
void ad_unseen_gpu(const char *root, bool has_loader, char *out, size_t size);
#endif
