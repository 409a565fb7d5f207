/* Devices: Vulkan GPUs, software Vulkan drivers, and the CPU engine. A device is used by one thread at a time, that of
 * its context; it may start threads of its own, which end with the calls that need them. */
#ifndef ADATOM_DEVICE_H
#define ADATOM_DEVICE_H

#include <adatom/adatom.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_device adatom_device;

typedef struct adatom_device_info {
    size_t size;
    int index; /* position in adatom_device_list(): Vulkan devices first, the CPU engine last; -1 for the CPU engine
                  opened as "cpu", which asks for no list */
    char backend[16]; /* "vulkan" or "cpu" */
    char name[256];   /* as the driver gives it; for the CPU engine the processor's model */
    char type[16];    /* discrete, integrated, virtual, other, software, cpu */
    uint32_t vendor_id, device_id;
    char uuid[33]; /* 32 hex digits; empty for the CPU engine */
    char pci[16];  /* "0000:65:00.0" where the driver tells, else empty */
    char driver_name[256], driver_info[256];
    char api[16];               /* Vulkan version, e.g. "1.3.230"; CPU: instruction set, e.g. "avx512" */
    uint64_t memory_bytes;      /* device-local memory; CPU: physical memory */
    uint64_t tensor_bytes;      /* largest buffer range an operation can use */
    bool timer;                 /* device timestamps */
    int threads;                /* CPU engine only */
    adatom_precision precision; /* of an open device */
    char features[96];          /* of an open device, separated by ", ": what fp16 makes use of, e.g. "half-operands,
                                   VK_KHR_cooperative_matrix 16x16x16, half-storage"; else empty */
    bool usable;                /* false: it lacks what the kernels need; opening it fails, and "auto" passes it over */
    char reason[192]; /* why it is not usable, e.g. "kernels bind 7 storage buffers a stage, this device allows 4"; else
                         empty */
} adatom_device_info;

typedef struct adatom_device_params {
    size_t size;
    /* NULL or "auto": the best usable non-software Vulkan device (discrete > integrated > virtual > other), the next
     * one if it cannot be opened, else the CPU engine; what failed is logged as a warning and told by
     * adatom_device_reason(). "cpu": the CPU engine; neither the Vulkan loader nor any driver is started. "vulkan": the
     * best usable Vulkan device, software ones included; an index; a UUID (or its first 8+ digits); a PCI address; or
     * part of the name, case ignored: these fail where the device cannot be opened. */
    const char *select;
    int threads;           /* CPU engine; 0: all processors */
    const char *cache_dir; /* pipeline and tuning caches; NULL: none are kept */
    /* fp16: the products of inputs and frozen coefficients are kept in half precision while atoms
     * adapt ("half-storage"; numbers past 65504 become 65504), and on Vulkan devices convolutions may round their
     * operands to it ("half-operands") and use matrix units; sums and everything else in memory stay float32. What does
     * so is first checked on this device, some seconds, unless cache_dir holds the verdicts; only what passes is used,
     * and a warning is logged for the rest. CHECK_FAILED if nothing passes. */
    adatom_precision precision;
    adatom_progress_callback progress; /* only polled */
    void *user;
    bool validate; /* Vulkan validation layer with synchronization checks; its errors make calls fail, and a device that
                      cannot be opened is an error with "auto" too */
} adatom_device_params;

/* Writes up to capacity entries and the total number to *count. infos may be NULL when capacity is 0; else
 * infos[0].size is set, and the entries lie so many bytes apart. No Vulkan loader or driver, or one that fails (logged
 * as a warning), is not an error: the CPU engine alone is listed then. Devices that are not usable are listed, too. */
ADATOM_API adatom_status adatom_device_list(adatom_context *context, adatom_device_info *infos, size_t capacity,
                                            size_t *count);
/* NO_DEVICE if nothing matches; the message lists what there is. params may be NULL. The caller owns *out. */
ADATOM_API adatom_status adatom_device_open(adatom_context *context, const adatom_device_params *params,
                                            adatom_device **out);
ADATOM_API adatom_status adatom_device_describe(const adatom_device *device, adatom_device_info *out);
/* One sentence: what was chosen and why, e.g. "cpu: AMD EPYC (2 threads), because no Vulkan GPU was found". Owned by
 * the device. */
ADATOM_API const char *adatom_device_reason(const adatom_device *device);
ADATOM_API void adatom_device_destroy(adatom_device **device);

#ifdef __cplusplus
}
#endif
#endif
