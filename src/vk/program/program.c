#include "vk/core/debug_names.h"
#include "vk/program/choose.h"
#include "vk/program/schedule.h"

#include <stdio.h>
#include <string.h>

enum { SCRATCH_TARGET_BYTES = 64 << 20 };

static adatom_status copy_plan(adatom_context *ctx, const ad_plan *plan, ad_plan **out) {
    ad_plan *copy = ad_plan_create(ctx, plan->tasks);
    *out = copy;
    if (!copy) return ADATOM_OUT_OF_MEMORY;
    *copy = *plan;
    copy->tensors = ad_malloc(ctx, (size_t)plan->tensor_count, sizeof *copy->tensors);
    copy->ops = copy->tensors ? ad_malloc(ctx, (size_t)plan->op_count, sizeof *copy->ops) : NULL;
    if (!copy->ops) return ADATOM_OUT_OF_MEMORY;
    copy->tensor_capacity = plan->tensor_count;
    copy->op_capacity = plan->op_count;
    if (plan->tensor_count) memcpy(copy->tensors, plan->tensors, (size_t)plan->tensor_count * sizeof *copy->tensors);
    if (plan->op_count) memcpy(copy->ops, plan->ops, (size_t)plan->op_count * sizeof *copy->ops);
    return ADATOM_OK;
}

static adatom_status make_arenas(vk_program *p, ad_buffer *const *external) {
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    for (int a = 0; a < p->plan->arena_count; a++) {
        const ad_arena *arena = &p->plan->arenas[a];
        p->arenas[a] = arena->external ? (external ? (vk_buffer *)external[a] : NULL) : &p->own[a];
        if (!arena->external) {
            char name[32];
            AD_TRY(ad_vk_buffer_init(&p->e->device, arena->bytes, &p->own[a]));
            snprintf(name, sizeof name, "arena %d", a);
            ad_vk_name_buffer(&p->e->device, p->own[a].handle, name);
        } else if (!p->arenas[a] || p->arenas[a]->bytes < arena->bytes) {
            status = ad_fail(ctx, ADATOM_USAGE, "program: arena %d needs external memory of %zu bytes; %zu were given",
                             a, arena->bytes, p->arenas[a] ? p->arenas[a]->bytes : 0);
            goto done;
        }
    }
done:
    return status;
}

/* A kernel's bindings that the operation doesn't use get the operation's first result: it is there, and a barrier that
 * covers the result covers them. */
static int stand_in(const ad_op *op) {
    for (int r = 0; r < AD_OP_TENSORS; r++)
        if (ad_op_access(op, r) >= AD_WRITE) return r;
    return 0;
}

/* What is bound of a tensor: up to a whole vec4, which is how many kernels see their buffers; tensors begin further
 * apart than that. */
static size_t bound_bytes(const ad_tensor *t, int tasks) { return (ad_tensor_bytes(t, tasks) + 15) / 16 * 16; }

/* The byte range behind each binding of a launch and whether it may be written. */
static void find_uses(const vk_program *p, const ad_op *op, const ad_vk_launch *from, size_t scratch_offset,
                      size_t scratch_bytes, vk_launch *out) {
    out->use_count = p->e->pipelines.modules[from->kernel].bindings;
    for (int b = 0; b < out->use_count; b++) {
        vk_use *use = &out->uses[b];
        if (from->bind[b] == AD_VK_SCRATCH) {
            *use =
                (vk_use){p->scratch.handle, scratch_offset, scratch_offset + scratch_bytes, from->scratch_write, false};
            continue;
        }
        const int role = from->bind[b] < 0 || op->t[from->bind[b]] < 0 ? stand_in(op) : from->bind[b];
        const ad_tensor *t = &p->plan->tensors[op->t[role]];
        const size_t bytes = bound_bytes(t, p->plan->tasks);
        *use = (vk_use){p->arenas[t->arena]->handle, t->offset, t->offset + bytes, ad_op_access(op, role) != AD_READ,
                        t->type == AD_F16};
    }
}

static adatom_status check_tensors(vk_program *p) {
    for (int i = 0; i < p->plan->op_count; i++)
        for (int r = 0; r < AD_OP_TENSORS; r++) {
            if (p->plan->ops[i].t[r] < 0) continue;
            const ad_tensor *t = &p->plan->tensors[p->plan->ops[i].t[r]];
            const size_t bytes = bound_bytes(t, p->plan->tasks);
            if (bytes > p->e->caps.max_range)
                return ad_fail(p->e->base.ctx, ADATOM_UNSUPPORTED,
                               "tensor '%s' of operation '%s' has %zu bytes; %s can bind at most %zu", t->name,
                               ad_op_name(p->plan->ops[i].kind), bytes, p->e->device.physical.info.name,
                               p->e->caps.max_range);
        }
    return ADATOM_OK;
}

static adatom_status make_descriptors(vk_program *p, int launches, int bindings) {
    adatom_context *ctx = p->e->base.ctx;
    adatom_status status = ADATOM_OK;
    const VkDescriptorPoolSize sizes[2] = {{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, (uint32_t)bindings},
                                           {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, (uint32_t)bindings}};
    const VkDescriptorPoolCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
                                             .maxSets = (uint32_t)launches,
                                             .poolSizeCount = 2,
                                             .pPoolSizes = sizes};
    VK(p->e->device.vk.vkCreateDescriptorPool(p->e->device.handle, &info, NULL, &p->descriptors));
done:
    return status;
}

/* out->uses are known. */
static adatom_status make_launch(vk_program *p, const ad_vk_launch *from, vk_launch *out) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const vk_layout *layout = NULL;
    AD_TRY(ad_vk_pipeline_get(&e->pipelines, from, &layout, &out->pipeline));
    out->layout = layout->pipeline;
    memcpy(out->grid, from->grid, sizeof out->grid);
    memcpy(out->push, from->push, sizeof out->push);
    out->push_bytes = (uint32_t)from->push_words * 4;

    const VkDescriptorSetAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                                                  .descriptorPool = p->descriptors,
                                                  .descriptorSetCount = 1,
                                                  .pSetLayouts = &layout->set};
    VK(e->device.vk.vkAllocateDescriptorSets(e->device.handle, &allocate, &out->set));
    VkDescriptorBufferInfo ranges[VK_MAX_BINDINGS];
    VkWriteDescriptorSet writes[VK_MAX_BINDINGS];
    for (int b = 0; b < out->use_count; b++) {
        const vk_use *use = &out->uses[b];
        ranges[b] = (VkDescriptorBufferInfo){use->buffer, use->begin, use->end - use->begin};
        writes[b] = (VkWriteDescriptorSet){.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
                                           .dstSet = out->set,
                                           .dstBinding = (uint32_t)b,
                                           .descriptorCount = 1,
                                           .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                                           .pBufferInfo = &ranges[b]};
        if (!(from->texel >> b & 1)) continue;
        const VkBufferViewCreateInfo view = {.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                                             .buffer = use->buffer,
                                             .format = use->half ? VK_FORMAT_R16G16B16A16_SFLOAT
                                                                 : VK_FORMAT_R32G32B32A32_SFLOAT,
                                             .offset = use->begin,
                                             .range = use->end - use->begin};
        VK(e->device.vk.vkCreateBufferView(e->device.handle, &view, NULL, &out->views[b]));
        writes[b].descriptorType = VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER;
        writes[b].pTexelBufferView = &out->views[b];
    }
    e->device.vk.vkUpdateDescriptorSets(e->device.handle, (uint32_t)out->use_count, writes, 0, NULL);
done:
    return status;
}

static adatom_status make_launches(vk_program *p) {
    vk_engine *e = p->e;
    adatom_context *ctx = e->base.ctx;
    adatom_status status = ADATOM_OK;
    const ad_plan *plan = p->plan;
    int launches = 0, bindings = 0;
    size_t largest = 0, total = 0, cursor = 0;
    ad_vk_recipe *recipes = ad_malloc(ctx, (size_t)plan->op_count, sizeof *recipes);
    if (!recipes || !(p->first_launch = ad_calloc(ctx, (size_t)plan->op_count + 1, sizeof *p->first_launch))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    for (int i = 0; i < plan->op_count; i++) {
        ad_vk_recipe *recipe = &recipes[i];
        AD_TRY(ad_vk_lower_op(e, plan, &plan->ops[i], recipe));
        recipe->scratch_bytes =
            (recipe->scratch_bytes + AD_TENSOR_ALIGN_BYTES - 1) / AD_TENSOR_ALIGN_BYTES * AD_TENSOR_ALIGN_BYTES;
        if (recipe->scratch_bytes > e->caps.max_range) {
            status = ad_fail(
                ctx, ADATOM_UNSUPPORTED, "operation '%s' needs %zu bytes of scratch memory; %s can bind at most %zu",
                ad_op_name(plan->ops[i].kind), recipe->scratch_bytes, e->device.physical.info.name, e->caps.max_range);
            goto done;
        }
        largest = AD_MAX(largest, recipe->scratch_bytes);
        total += recipe->scratch_bytes;
        p->first_launch[i] = launches;
        launches += recipe->count;
        for (int l = 0; l < recipe->count; l++) bindings += e->pipelines.modules[recipe->launches[l].kernel].bindings;
    }
    p->first_launch[plan->op_count] = launches;
    if (!(p->launches = ad_calloc(ctx, (size_t)launches, sizeof *p->launches))) {
        status = ADATOM_OUT_OF_MEMORY;
        goto done;
    }
    p->launch_count = launches;
    if (!launches) goto done;
    AD_TRY(make_descriptors(p, launches, bindings));

    /* Operations take turns in the scratch memory, so that neighbours needn't wait for each other's. */
    const size_t scratch = AD_MIN(total, AD_MAX(largest, (size_t)SCRATCH_TARGET_BYTES));
    if (scratch) {
        AD_TRY(ad_vk_buffer_init(&e->device, scratch, &p->scratch));
        ad_vk_name_buffer(&e->device, p->scratch.handle, "scratch");
    }
    for (int i = 0; i < plan->op_count; i++) {
        const ad_vk_recipe *recipe = &recipes[i];
        if (cursor + recipe->scratch_bytes > scratch) cursor = 0;
        for (int l = 0; l < recipe->count; l++) {
            vk_launch *launch = &p->launches[p->first_launch[i] + l];
            find_uses(p, &plan->ops[i], &recipe->launches[l], cursor, recipe->scratch_bytes, launch);
            AD_TRY(make_launch(p, &recipe->launches[l], launch));
        }
        cursor += recipe->scratch_bytes;
    }
done:
    ad_free(recipes);
    return status;
}

adatom_status ad_vk_program_create(ad_engine *engine, const ad_plan *plan, ad_buffer *const *external,
                                   ad_program **out) {
    vk_engine *e = vk_engine_of(engine);
    adatom_context *ctx = engine->ctx;
    adatom_status status = ADATOM_OK;
    const int errors = atomic_load(&e->instance.errors);
    *out = NULL;
    vk_program *p = ad_calloc(ctx, 1, sizeof *p);
    if (!p) return ADATOM_OUT_OF_MEMORY;
    p->e = e;
    p->omit_barriers = e->omit_barriers;
    AD_TRY(ad_plan_validate(ctx, plan));
    for (int t = 0; t < plan->tensor_count; t++)
        if (plan->tensors[t].lane)
            AD_TRY(ad_fail(ctx, ADATOM_USAGE, "plan: tensor %d '%s' is of a lane; here are none", t,
                           plan->tensors[t].name));
    AD_TRY(copy_plan(ctx, plan, &p->plan));
    AD_TRY(check_tensors(p));
    AD_TRY(make_arenas(p, external));
    AD_TRY(make_launches(p));
    AD_TRY(ad_vk_expect_times(p));
    const VkCommandPoolCreateInfo pool = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .queueFamilyIndex = e->device.physical.queue_family};
    VK(e->device.vk.vkCreateCommandPool(e->device.handle, &pool, NULL, &p->command_pool));
    for (int s = 0; s < AD_SEGMENT_COUNT; s++) p->segments[s].stale = true;
    AD_TRY(ad_vk_validated(&e->instance, errors));
    *out = (ad_program *)p;
done:
    if (status != ADATOM_OK) {
        ad_program *failed = (ad_program *)p;
        ad_vk_program_destroy(&failed);
    }
    return status;
}

static void destroy_objects(vk_program *p) {
    const vk_engine *e = p->e;
    for (int l = 0; l < p->launch_count; l++)
        for (int b = 0; b < VK_MAX_BINDINGS; b++)
            e->device.vk.vkDestroyBufferView(e->device.handle, p->launches[l].views[b], NULL);
    e->device.vk.vkDestroyQueryPool(e->device.handle, p->queries, NULL);
    e->device.vk.vkDestroyCommandPool(e->device.handle, p->command_pool, NULL);
    e->device.vk.vkDestroyDescriptorPool(e->device.handle, p->descriptors, NULL);
}

void ad_vk_program_destroy(ad_program **program) {
    if (!program || !*program) return;
    vk_program *p = (vk_program *)*program;
    vk_engine *e = p->e;
    ad_vk_segments_clear(p);
    if (!e->device.abandoned) destroy_objects(p);
    for (int a = 0; a < AD_MAX_ARENAS; a++) ad_vk_buffer_clear(&e->device, &p->own[a]);
    ad_vk_buffer_clear(&e->device, &p->scratch);
    ad_plan_destroy(&p->plan);
    ad_free(p->launches);
    ad_free(p->first_launch);
    ad_free(p->costs);
    ad_free(p);
    *program = NULL;
}

static adatom_status locate(vk_program *p, int tensor, size_t offset, size_t bytes, vk_buffer **buffer, size_t *at) {
    const ad_tensor *t = tensor >= 0 && tensor < p->plan->tensor_count ? &p->plan->tensors[tensor] : NULL;
    if (!t) return ad_fail(p->e->base.ctx, ADATOM_USAGE, "program: there is no tensor %d", tensor);
    const size_t size = ad_tensor_bytes(t, p->plan->tasks);
    if (offset > size || bytes > size - offset)
        return ad_fail(p->e->base.ctx, ADATOM_USAGE, "program: bytes %zu..%zu asked for of tensor '%s', which has %zu",
                       offset, offset + bytes, t->name, size);
    *buffer = p->arenas[t->arena];
    *at = t->offset + offset;
    return ADATOM_OK;
}

adatom_status ad_vk_program_write(ad_program *program, int tensor, size_t offset, const void *data, size_t bytes) {
    vk_program *p = (vk_program *)program;
    vk_buffer *buffer = NULL;
    size_t at = 0;
    adatom_status status = locate(p, tensor, offset, bytes, &buffer, &at);
    return status == ADATOM_OK ? ad_vk_buffer_write(&p->e->queue, buffer, at, data, bytes) : status;
}

adatom_status ad_vk_program_read(ad_program *program, int tensor, size_t offset, void *data, size_t bytes) {
    vk_program *p = (vk_program *)program;
    vk_buffer *buffer = NULL;
    size_t at = 0;
    adatom_status status = locate(p, tensor, offset, bytes, &buffer, &at);
    return status == ADATOM_OK ? ad_vk_buffer_read(&p->e->queue, buffer, at, data, bytes) : status;
}
