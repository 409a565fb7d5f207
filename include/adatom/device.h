/* Devices: Vulkan GPUs, software Vulkan drivers, and the CPU engine. A device is used by one thread at a time, that of
 * its context. It may start threads of its own, which end with the calls that need them. */
#ifndef ADATOM_DEVICE_H
#define ADATOM_DEVICE_H

#include <adatom/adatom.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct adatom_device adatom_device;

typedef struct adatom_device_info {
    size_t size;
    /* Position in adatom_device_list(), in which Vulkan devices come first and the CPU engine last; -1 for a CPU engine
     * that was opened as "cpu", since nothing is listed for that. */
    int index;
    char backend[16];              /* "vulkan" or "cpu" */
    char name[256];                /* the driver's name of the device; for the CPU engine the processor's model */
    char type[16];                 /* "discrete", "integrated", "virtual", "other", "software" or "cpu" */
    uint32_t vendor_id, device_id; /* PCI IDs; 0 for the CPU engine */
    char uuid[33];                 /* 32 hex digits; empty for the CPU engine */
    char pci[16];                  /* "0000:65:00.0" where the driver tells, else empty */
    char driver_name[256], driver_info[256]; /* as Vulkan tells them; "" for the CPU engine */
    char api[16];                            /* Vulkan version, e.g. "1.3.230"; CPU: instruction set, e.g. "avx512" */
    uint64_t memory_bytes;                   /* bytes of device-local memory; CPU engine: of physical memory */
    uint64_t tensor_bytes;                   /* bytes of the largest tensor that an operation can use */
    bool timer;                              /* the device has timestamps */
    int threads;                             /* of the CPU engine; else 0 */
    adatom_precision precision;              /* of an open device; else fp32 */
    /* Of an open device: what precision fp16 makes use of, separated by ", ", e.g. "half-operands,
     * VK_KHR_cooperative_matrix 16x16x16, half-storage"; else "". */
    char features[96];
    /* False: the device lacks what the kernels need. Opening it fails, and "auto" passes it over. */
    bool usable;
    /* Why it is not usable, e.g. "kernels bind 7 storage buffers a stage, this device allows 4"; "": it is usable. */
    char reason[192];
    /* What the driver tells of a Vulkan device, whether or not kernels make use of it; of the CPU engine 0, false and
     * "" but for unified_memory. */
    int subgroup;                      /* invocations of a subgroup, as kernels run */
    int subgroup_least, subgroup_most; /* sizes that can be asked for; both are `subgroup` where none can be */
    uint32_t shared_bytes;             /* bytes of shared memory that a workgroup can use */
    bool unified_memory;               /* the device's memory is the host's, as on integrated and software devices */
    bool fp16, fp16_storage;           /* arithmetic in half precision; 16-bit numbers in storage buffers */
    bool bf16;                         /* VK_KHR_shader_bfloat16 */
    bool int8, int8_storage;           /* arithmetic on 8-bit integers; such numbers in storage buffers */
    bool int8_dot;                     /* the device accelerates dot products of four 8-bit integers each */
    int timer_bits;                    /* valid bits of timestamps; 0: it has none */
    double timer_ns;                   /* nanoseconds between two values of a timestamp; 0: it has none */
    /* Shapes (rows x columns x depth) and types of the products that matrix units do, those of the same types together,
     * e.g. "16x16x16 16x8x16 f16→f32, 16x16x32 s8→s32"; types are f, bf, s (signed) or u (unsigned) with their
     * bits. ", ..." ends a list that is longer. */
    char matrix_units[256];
} adatom_device_info;

typedef struct adatom_device_params {
    size_t size;
    /* Which device to open.
     *   NULL, "auto": the best usable hardware device of Vulkan (discrete before integrated, virtual and other); if
     *     it cannot be opened the next one, and finally the CPU engine. What failed is a warning in the log and
     *     part of adatom_device_reason().
     *   "cpu": the CPU engine; neither the Vulkan loader nor a driver is started.
     *   "vulkan": the best usable Vulkan device, also a software one.
     *   An index of adatom_device_list(), a UUID (or its first 8 or more digits), a PCI address, or part of the
     *     name in any case: the call fails if that device cannot be opened. */
    const char *select;
    int threads;           /* threads of the CPU engine; 0: all processors */
    const char *cache_dir; /* folder for compiled pipelines, verdicts and the tuner's choices; NULL: none are kept */
    /* fp32 (the default): everything is computed in float32. fp16: the products of inputs and frozen coefficients are
     * kept in half precision while atoms adapt ("half-storage"; larger numbers become 65504), and on Vulkan devices
     * convolutions may round their operands to it ("half-operands") and use matrix units. Sums and everything else in
     * memory stay float32. Kernels that do so are first checked on the device, which takes some seconds unless
     * cache_dir holds the verdicts. Only what passes is used; the rest is a warning in the log. CHECK_FAILED if nothing
     * passes. */
    adatom_precision precision;
    adatom_progress_callback progress; /* only polled; may be NULL */
    void *user;
    /* Whether to run under the Vulkan validation layer with synchronization checks. Errors that it reports make calls
     * fail (FAILED), and a device that cannot be opened is then an error with "auto", too. */
    bool validate;
} adatom_device_params;

/* Lists the devices: writes at most capacity entries to infos and the number of all devices to *count. infos may be
 * NULL if capacity is 0; else infos[0].size is set, and entries lie that many bytes apart. Devices that are not usable
 * are listed, too. If there is no Vulkan loader or driver, or one fails (a warning in the log), the CPU engine alone is
 * listed; this is no error. */
ADATOM_API adatom_status adatom_device_list(adatom_context *context, adatom_device_info *infos, size_t capacity,
                                            size_t *count);
/* Opens a device. params may be NULL. NO_DEVICE: no device matches, and the message lists those there are. The caller
 * owns *out. */
ADATOM_API adatom_status adatom_device_open(adatom_context *context, const adatom_device_params *params,
                                            adatom_device **out);
ADATOM_API adatom_status adatom_device_describe(const adatom_device *device, adatom_device_info *out);
/* One sentence on which device was chosen and why, e.g. "cpu: AMD EPYC (2 threads), because no Vulkan GPU was found".
 * Owned by the device. */
ADATOM_API const char *adatom_device_reason(const adatom_device *device);
ADATOM_API void adatom_device_destroy(adatom_device **device);

#ifdef __cplusplus
}
#endif
#endif
