/* Which memory buffers are made of: for devices as they are described by their drivers, and on the one that is here. */
#include "plan/plan.h"
#include "tests/run_suite.h"
#include "vk/core/memory_types.h"
#include "vk/program/engine.h"

#include <stdlib.h>
#include <string.h>

enum {
    LOCAL = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
    VISIBLE = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
    CACHED = VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
    AMD = VK_MEMORY_PROPERTY_DEVICE_COHERENT_BIT_AMD | VK_MEMORY_PROPERTY_DEVICE_UNCACHED_BIT_AMD,
    DISCRETE = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU,
    INTEGRATED = VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
};
#define MIB ((VkDeviceSize)1 << 20)
#define GIB ((VkDeviceSize)1 << 30)

typedef struct expected {
    int type, direct;
} expected;

typedef struct description {
    const char *what;
    int device;
    struct {
        VkDeviceSize size;
        bool local;
    } heaps[4]; /* ended by size 0 */
    struct {
        uint32_t flags, heap;
    } types[12]; /* ended by flags 0 in heap 9 */
    uint32_t allowed;
    expected order[4]; /* ended by type -1 */
    int staging;
} description;

static const description descriptions[] = {
    {"a discrete GPU with a window of 256 MiB",
     DISCRETE,
     {{8 * GIB, true}, {16 * GIB, false}, {256 * MIB, true}},
     {{0, 1}, {LOCAL, 0}, {VISIBLE, 1}, {VISIBLE | CACHED, 1}, {LOCAL | VISIBLE, 2}, {0, 9}},
     UINT32_MAX,
     {{1, 0}, {4, 0}, {3, 1}, {-1, 0}},
     3},
    {"a discrete GPU whose memory is all mappable",
     DISCRETE,
     {{12 * GIB, true}, {16 * GIB, false}},
     {{LOCAL, 0}, {VISIBLE, 1}, {LOCAL | VISIBLE, 0}, {VISIBLE | CACHED, 1}, {0, 9}},
     UINT32_MAX,
     {{0, 0}, {3, 1}, {-1, 0}},
     3},
    {"an integrated GPU with 256 MiB of its own, and the host's memory",
     INTEGRATED,
     {{256 * MIB, true}, {7 * GIB, false}},
     {{LOCAL, 0}, {LOCAL | VISIBLE, 0}, {VISIBLE, 1}, {VISIBLE | CACHED, 1}, {0, 9}},
     UINT32_MAX,
     {{3, 1}, {0, 0}, {-1, 0}},
     3},
    {"an integrated GPU with one heap for all",
     INTEGRATED,
     {{12 * GIB, true}},
     {{LOCAL, 0}, {LOCAL | VISIBLE, 0}, {LOCAL | VISIBLE | CACHED, 0}, {0, 9}},
     UINT32_MAX,
     {{2, 1}, {-1, 0}},
     2},
    {"an AMD GPU with device-coherent types in front",
     DISCRETE,
     {{8 * GIB, true}, {16 * GIB, false}, {256 * MIB, true}},
     {{LOCAL | AMD, 0},
      {VISIBLE | CACHED | AMD, 1},
      {LOCAL | VISIBLE | CACHED | AMD, 2},
      {LOCAL, 0},
      {VISIBLE, 1},
      {VISIBLE | CACHED, 1},
      {0, 9}},
     UINT32_MAX,
     {{3, 0}, {5, 1}, {-1, 0}},
     5},
    {"protected, lazily allocated and RDMA types",
     INTEGRATED,
     {{4 * GIB, true}, {2 * GIB, true}},
     {{LOCAL | VK_MEMORY_PROPERTY_PROTECTED_BIT, 0},
      {LOCAL | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT, 0},
      {LOCAL | VISIBLE | CACHED | VK_MEMORY_PROPERTY_RDMA_CAPABLE_BIT_NV, 0},
      {LOCAL | VISIBLE, 1},
      {0, 9}},
     UINT32_MAX,
     {{3, 0}, {-1, 0}},
     3},
    {"llvmpipe",
     VK_PHYSICAL_DEVICE_TYPE_CPU,
     {{8 * GIB, true}},
     {{LOCAL | VISIBLE | CACHED, 0}, {0, 9}},
     UINT32_MAX,
     {{0, 1}, {-1, 0}},
     0},
    {"a discrete GPU with no more than a window",
     DISCRETE,
     {{256 * MIB, true}, {4 * GIB, false}},
     {{LOCAL | VISIBLE, 0}, {VISIBLE, 1}, {0, 9}},
     UINT32_MAX,
     {{1, 0}, {0, 0}, {-1, 0}},
     0},
    {"types that the buffers may not have",
     DISCRETE,
     {{8 * GIB, true}, {16 * GIB, false}},
     {{LOCAL, 0}, {LOCAL, 0}, {VISIBLE | CACHED, 1}, {VISIBLE, 1}, {0, 9}},
     2 | 8,
     {{1, 0}, {3, 0}, {-1, 0}},
     3},
    {"protected memory alone",
     DISCRETE,
     {{8 * GIB, true}},
     {{LOCAL | VISIBLE | VK_MEMORY_PROPERTY_PROTECTED_BIT, 0}, {0, 9}},
     UINT32_MAX,
     {{-1, 0}},
     -1},
};

START_TEST(memory_is_chosen) {
    const description *d = &descriptions[_i];
    VkPhysicalDeviceMemoryProperties memory = {0};
    vk_memory_choice got[VK_MAX_MEMORY_HEAPS];
    while (memory.memoryHeapCount < 4 && d->heaps[memory.memoryHeapCount].size) {
        const uint32_t h = memory.memoryHeapCount++;
        memory.memoryHeaps[h].size = d->heaps[h].size;
        memory.memoryHeaps[h].flags = d->heaps[h].local ? VK_MEMORY_HEAP_DEVICE_LOCAL_BIT : 0;
    }
    while (d->types[memory.memoryTypeCount].heap != 9) {
        const uint32_t t = memory.memoryTypeCount++;
        memory.memoryTypes[t] = (VkMemoryType){d->types[t].flags, d->types[t].heap};
    }
    const int count = ad_vk_memory_choices(&memory, d->allowed, (VkPhysicalDeviceType)d->device, got);
    for (int i = 0; i < count; i++) {
        ck_assert_msg((int)got[i].type == d->order[i].type, "%s: %d. is type %d, not %d", d->what, i + 1,
                      (int)got[i].type, d->order[i].type);
        ck_assert_msg(got[i].direct == d->order[i].direct, "%s: %d. is %s", d->what, i + 1,
                      got[i].direct ? "mapped" : "not mapped");
    }
    ck_assert_msg(d->order[count].type < 0, "%s: %d heaps", d->what, count);
    ck_assert_msg(ad_vk_memory_staging(&memory, d->allowed) == d->staging, "%s: staging in type %d", d->what,
                  ad_vk_memory_staging(&memory, d->allowed));
}
END_TEST

/* The largest range that a kernel may see is compared with what is bound, which is up to a whole vec4. */
START_TEST(ranges_are_checked_as_they_are_bound) {
    enum { N = 62 };
    adatom_context *ctx = NULL;
    ad_engine *engine = NULL;
    ad_program *program = NULL;
    ck_assert_int_eq(adatom_context_create(NULL, &ctx), ADATOM_OK);
    OK(ad_vk_engine_create(ctx, &(adatom_device_params){.validate = true}, 0, &engine));
    ad_plan *plan = ad_plan_create(ctx, 1);
    ad_op *op = ad_plan_op(ctx, plan, AD_SEGMENT_INIT, AD_OP_FILL);
    op->t[0] = (int16_t)ad_plan_tensor(ctx, plan, "t", AD_F32, ad_plan_arena(ctx, plan, false), N, false);
    op->g.c = N;
    vk_engine_of(engine)->caps.max_range = 252; /* 62 numbers have 248 bytes, of which 256 are bound */
    ck_assert_int_eq(engine->api->program_create(engine, plan, NULL, &program), ADATOM_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(adatom_context_message(ctx), "has 256 bytes"));
    vk_engine_of(engine)->caps.max_range = 256;
    OK(engine->api->program_create(engine, plan, NULL, &program));
    engine->api->program_destroy(&program);
    ad_plan_destroy(&plan);
    engine->api->destroy(engine);
    adatom_context_destroy(&ctx);
}
END_TEST

int main(void) {
    size_t count = 0;
    const bool vulkan = getenv("CI") || ad_vk_list(NULL, NULL, 0, &count) != ADATOM_OK || count > 0;
    Suite *suite = suite_create("vk_memory");
    TCase *tests = tcase_create("memory");
    tcase_add_loop_test(tests, memory_is_chosen, 0, AD_COUNT(descriptions));
    if (vulkan) tcase_add_test(tests, ranges_are_checked_as_they_are_bound);
    suite_add_tcase(suite, tests);
    return run_suite(suite, CK_NOFORK);
}
