/* One invocation per item of a task, tasks along z; the items of a task are folded over x and y (ad_vk_items,
 * vk/kernels/lower.h). The last workgroups have invocations past the last item. */
layout(local_size_x = 64) in;

uint group_index() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
uint item_index() { return group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }
uint task_index() { return gl_WorkGroupID.z; }
