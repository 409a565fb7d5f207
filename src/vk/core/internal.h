/* What the files of the Vulkan engine share. */
#ifndef AD_VK_INTERNAL_H
#define AD_VK_INTERNAL_H

#include "vk/kernels/kernel.h"
#include "vk/vk.h"

#include "vk/core/coopmat.h"
#include "vk/core/functions.h"

enum { VK_MAX_BINDINGS = 8, VK_MAX_SPEC = 20, VK_MAX_PUSH_BYTES = 128, VK_MAX_USES = VK_MAX_BINDINGS };

/* Runs a Vulkan call; a failure sets `status` and the message of `ctx` (both in scope) and leaves through `done:`. */
#define VK(call)                                                                                                       \
    do {                                                                                                               \
        VkResult vk_result = (call);                                                                                   \
        if (vk_result < 0) {                                                                                           \
            status = ad_vk_fail(ctx, vk_result, #call, __FILE__, __LINE__);                                            \
            goto done;                                                                                                 \
        }                                                                                                              \
    } while (0)
adatom_status ad_vk_fail(adatom_context *ctx, VkResult result, const char *call, const char *file, int line);
const char *ad_vk_result_name(VkResult result);

/* ---- loader.c: the instance and what the validation layer says -------------------------------------------------- */
typedef struct vk_instance {
    adatom_context *ctx;
    VkInstance handle;
    vk_instance_functions vk;
    VkDebugUtilsMessengerEXT messenger;
    atomic_int errors;
    char error[768]; /* the latest one */
} vk_instance;

/* No loader, or none of Vulkan 1.1: OK with handle VK_NULL_HANDLE. The address must stay valid until
 * ad_vk_instance_clear. */
adatom_status ad_vk_instance_init(adatom_context *ctx, bool validate, vk_instance *out);
void ad_vk_instance_clear(vk_instance *instance);
/* Fetches the functions of a device; FAILED where the driver lacks one. */
adatom_status ad_vk_device_functions(const vk_instance *instance, VkDevice device, vk_device_functions *out);

/* ---- physical.c: devices as they are before one is opened ------------------------------------------------------- */
typedef struct vk_physical {
    VkPhysicalDevice handle;
    VkPhysicalDeviceProperties properties;
    VkPhysicalDeviceMemoryProperties memory;
    uint8_t uuid[VK_UUID_SIZE];
    uint32_t subgroup;
    size_t allocation_bytes; /* maxMemoryAllocationSize */
    uint32_t queue_family, timestamp_bits;
    bool software, shuffle, memory_budget, portability_subset;
    bool half;      /* shaderFloat16 */
    bool matrix_nv; /* VK_NV_cooperative_matrix: half-precision squares of AD_PROBE_MATRIX_SIZE with float32 sums */
    ad_vk_matrix matrix;
    uint32_t full_subgroup;  /* smallest size that full subgroups can be asked for in; 0: they can't */
    adatom_device_info info; /* without index */
} vk_physical;

/* All devices in enumeration order; info.usable says which can be opened. ad_free(*out). */
adatom_status ad_vk_physical_list(const vk_instance *instance, vk_physical **out, int *count);

/* ---- arithmetic.c: half precision and matrix units -------------------------------------------------------------- */
typedef struct vk_arithmetic { /* what vkCreateDevice reads */
    VkPhysicalDeviceShaderFloat16Int8Features half;
    VkPhysicalDeviceVulkanMemoryModelFeatures model;
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control;
    VkPhysicalDeviceCooperativeMatrixFeaturesNV nv;
    VkPhysicalDeviceCooperativeMatrixFeaturesKHR khr;
} vk_arithmetic;
enum { VK_ARITHMETIC_EXTENSIONS = 5 };

void ad_vk_arithmetic_find(const vk_instance *instance, const VkExtensionProperties *extensions, uint32_t count,
                           vk_physical *out);
/* Adds to the extensions and returns the chain of features in *a; half: the kernels of reduced precision are wanted
 * too. */
const void *ad_vk_arithmetic_enable(const vk_physical *physical, bool half, vk_arithmetic *a, const char **extensions,
                                    uint32_t *count);

/* ---- device.c --------------------------------------------------------------------------------------------------- */
typedef struct vk_buffer {
    VkBuffer handle;
    VkDeviceMemory memory;
    size_t bytes; /* a multiple of AD_TENSOR_ALIGN_BYTES */
    char *mapped; /* NULL: through the staging buffer */
} vk_buffer;

typedef struct vk_send { /* bytes on their way (send.c) */
    vk_buffer *to;
    size_t offset, bytes;
    const char *data;
} vk_send;

typedef struct vk_sender {
    vk_send *list;
    size_t first, count, capacity; /* list[first .. count-1] wait */
    vk_buffer staging;             /* two halves */
    VkCommandBuffer commands[2];   /* from either half to where the bytes belong */
    int half;                      /* the next to be filled */
    bool filled;                   /* the other one is, and goes with the next submission */
} vk_sender;

typedef struct vk_pipeline {
    const uint32_t *words; /* with the specialization constants: the key */
    uint32_t spec[VK_MAX_SPEC];
    int spec_count;
    VkPipeline handle; /* VK_NULL_HANDLE: an empty slot */
} vk_pipeline;

typedef struct vk_layout {
    VkDescriptorSetLayout set;
    VkPipelineLayout pipeline;
} vk_layout;

typedef struct vk_choice { /* of the tuner: which variant to use for operations of this class */
    uint64_t geometry;
    char variant[32]; /* by name: numbers may change from one version to the next */
} vk_choice;

typedef struct vk_module {
    const uint32_t *words;
    size_t bytes;
    int bindings;
    const char *name;
} vk_module;

typedef struct vk_engine {
    ad_engine base;
    vk_instance instance;
    vk_physical physical;
    ad_vk_caps caps;
    VkDevice device;
    vk_device_functions vk;
    VkQueue queue;
    VkCommandPool command_pool; /* of the copies through the staging buffer */
    VkCommandBuffer copy_commands;
    VkFence fence;
    bool omit_barriers;
    double seconds; /* of the latest submission */
    bool
        hidden; /* the device had ended it before the host had done its own work beside it: it took at most `seconds` */

    uint32_t memory_type; /* of arenas and buffers */
    bool mapped;          /* that memory is used through its mapping: no staging */
    size_t allocated_bytes;
    vk_buffer staging;
    vk_sender sender;

    vk_module modules[AD_VK_KERNEL_COUNT + 1];
    vk_layout layouts[VK_MAX_BINDINGS + 1]
                     [1 << VK_MAX_BINDINGS]; /* by bindings and ad_vk_launch.texel; made when needed */
    VkPipelineCache pipeline_cache;
    vk_pipeline *pipelines; /* open addressing; capacity is a power of two */
    int pipeline_count, pipeline_capacity;
    uint64_t pipeline_cache_hash; /* of the data as read from disk; other data at the end is worth writing */

    vk_choice *choices;
    int choice_count, choice_capacity;
    bool choices_changed;
    ad_verdict half_verdicts[AD_OP_COUNT][AD_MAX_VARIANTS], half_storage;
    char *cache_path; /* directory/prefix of the cache files of this device, driver and SPIR-V; NULL: none */
} vk_engine;

static inline vk_engine *vk_engine_of(ad_engine *engine) { return (vk_engine *)engine; }

/* Submits command buffers and waits for them. */
adatom_status ad_vk_submit(vk_engine *e, const VkCommandBuffer *commands, uint32_t count);
/* FAILED with the layer's message if it has reported an error since `before` errors were counted. */
adatom_status ad_vk_validated(vk_engine *e, int before);

/* ---- memory.c --------------------------------------------------------------------------------------------------- */
adatom_status ad_vk_memory_init(vk_engine *e);
void ad_vk_memory_clear(vk_engine *e);
size_t ad_vk_memory_free_bytes(const vk_engine *e);
adatom_status ad_vk_buffer_init(vk_engine *e, size_t bytes, vk_buffer *out);
adatom_status ad_vk_staging_init(vk_engine *e, size_t bytes, vk_buffer *out);
void ad_vk_buffer_clear(vk_engine *e, vk_buffer *buffer);
adatom_status ad_vk_buffer_write(vk_engine *e, vk_buffer *buffer, size_t offset, const void *data, size_t bytes);
adatom_status ad_vk_buffer_read(vk_engine *e, vk_buffer *buffer, size_t offset, void *data, size_t bytes);
adatom_status ad_vk_buffer_check(vk_engine *e, const vk_buffer *buffer, size_t offset,
                                 size_t bytes); /* USAGE: not inside */

/* ---- send.c: bytes that move while programs run -------------------------------------------------------------------
 */
adatom_status ad_vk_send(vk_engine *e, vk_buffer *to, size_t offset, const void *data, size_t bytes);
adatom_status ad_vk_send_wait(vk_engine *e);
VkCommandBuffer ad_vk_send_take(vk_engine *e); /* what the next submission has to begin with; VK_NULL_HANDLE: nothing */
adatom_status ad_vk_send_piece(vk_engine *e);  /* the host's part of the work, some milliseconds of it */
void ad_vk_send_clear(vk_engine *e);

/* ---- spirv.c, pipeline.c, cache.c ------------------------------------------------------------------------------- */
void ad_vk_modules_init(vk_module modules[AD_VK_KERNEL_COUNT + 1]);
uint64_t ad_vk_modules_hash(void);
int ad_vk_most_bindings(void);         /* of all kernels */
bool ad_vk_module_present(int kernel); /* false: left out of this build (cmake/Shaders.cmake) */
adatom_status ad_vk_pipelines_init(vk_engine *e);
void ad_vk_pipelines_clear(vk_engine *e);
adatom_status ad_vk_pipeline_get(vk_engine *e, const ad_vk_launch *launch, const vk_layout **layout, VkPipeline *out);

/* The cache files: each has a checksum; one that is missing, foreign or damaged counts as absent (*out NULL). Failing
 * to write one is logged, not an error. suffix: "pipelines", "tuning". */
adatom_status ad_vk_cache_init(vk_engine *e, const char *directory);
adatom_status ad_vk_cache_read(vk_engine *e, const char *suffix, char **out, size_t *size);
void ad_vk_cache_write(vk_engine *e, const char *suffix, const void *bytes, size_t size);

/* ---- half.c: variants and tensors of reduced precision
 * ------------------------------------------------------------------------ */
adatom_status ad_vk_half_load(vk_engine *e);
bool ad_vk_half_usable(const vk_engine *e, int kind, int variant); /* true for all others */
bool ad_vk_variant_half(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant,
                        ad_half_variant *out);
void ad_vk_variant_judge(ad_engine *engine, int kind, int variant, bool passed);
ad_verdict ad_vk_half_storage(const ad_engine *engine);
void ad_vk_half_storage_judge(ad_engine *engine, bool passed);
void ad_vk_half_describe(const vk_engine *e, adatom_device_info *out); /* precision and features */

/* ---- choose.c: which variant --------------------------------------------------------------------------------------
 */
adatom_status ad_vk_choices_load(vk_engine *e);
void ad_vk_choices_save(vk_engine *e);
/* Lowers op by the variant it names, or by the tuner's, the family's preferred or the first that applies. */
adatom_status ad_vk_lower_op(vk_engine *e, const ad_plan *plan, const ad_op *op, ad_vk_recipe *out);
int ad_vk_variant_count(const ad_engine *engine, int kind);
const char *ad_vk_variant_name(const ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant);
void ad_vk_variant_prefer(ad_engine *engine, const ad_plan *plan, const ad_op *op, int variant);

adatom_status ad_vk_probe(ad_engine *engine, ad_probe *probe); /* probe.c */

/* ---- program.c, stream.c ------------------------------------------------------------------------------------------
 */
typedef struct vk_use { /* a byte range a launch touches */
    VkBuffer buffer;
    VkDeviceSize begin, end;
    bool write, half; /* half: the tensor is AD_F16 */
} vk_use;

typedef struct vk_launch { /* one dispatch, ready to record */
    VkPipeline pipeline;
    VkPipelineLayout layout;
    VkDescriptorSet set;
    VkBufferView views[VK_MAX_BINDINGS]; /* of texel bindings */
    uint32_t push[VK_MAX_PUSH_BYTES / 4], push_bytes, grid[3];
    vk_use uses[VK_MAX_USES];
    int use_count;
} vk_launch;

typedef struct vk_chunk { /* consecutive operations of a segment in one command buffer */
    VkCommandBuffer commands;
    int first_op, op_count;
    bool measured;
} vk_chunk;

typedef struct vk_segment {
    vk_chunk *chunks;
    int chunk_count;
    bool stale; /* to be recorded (again) before it runs */
} vk_segment;

typedef struct vk_program {
    vk_engine *e;
    ad_plan *plan;
    vk_buffer *arenas[AD_MAX_ARENAS]; /* owned ones lie in own */
    vk_buffer own[AD_MAX_ARENAS], scratch;
    vk_launch *launches;
    int launch_count;
    int *first_launch;  /* [op_count + 1] */
    double *op_seconds; /* [op_count]: expected, then measured; decides how much goes into one submission */
    double *op_ns;      /* [op_count]: by timestamps */
    VkDescriptorPool descriptors;
    VkCommandPool command_pool;
    VkQueryPool queries; /* 2 per operation: before and after */
    vk_segment segments[AD_SEGMENT_COUNT];
    bool profile, omit_barriers;
} vk_program;

adatom_status ad_vk_program_create(ad_engine *, const ad_plan *, ad_buffer *const *external, ad_program **out);
adatom_status ad_vk_program_write(ad_program *, int tensor, size_t offset, const void *data, size_t bytes);
adatom_status ad_vk_program_read(ad_program *, int tensor, size_t offset, void *data, size_t bytes);
void ad_vk_program_destroy(ad_program **);
adatom_status ad_vk_program_run(ad_program *, const ad_run *runs, int count);
adatom_status ad_vk_program_profile(ad_program *, bool on);
double ad_vk_program_op_ns(ad_program *, int op);
void ad_vk_segments_clear(vk_program *p);

#endif
