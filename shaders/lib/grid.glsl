/* One invocation per item of a task, tasks along z; the items of a task are folded over x and y (ad_vk_items, vk/lower.h). */
layout(local_size_x = 64) in;

uint group_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
uint item_index() { return group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }
uint task_index() { return gl_WorkGroupID.z; }

/* AD_ACCUMULATE: outputs are added to. Specialization constant 0 of every kernel that can do both. */
layout(constant_id = 0) const bool ACCUMULATE = false;
#define PUT(target, value) target = ACCUMULATE ? target + (value) : (value)
