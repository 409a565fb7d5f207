/* Parts of a launch's grid: one dispatch takes no longer than a desktop waits for its GPU, whatever the launch
 * takes. */
#ifndef AD_VK_SPLIT_H
#define AD_VK_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

/* Workgroups base .. base + count - 1 of each axis, as vkCmdDispatchBase takes them. */
typedef struct vk_part {
    uint32_t base[3], count[3];
} vk_part;

/* How many parts the grid is divided into where `wanted` would be right: about as many, at least 1, and no more than
 * there are workgroups. Tasks (z) are divided first. Kernels compute their index as y * gl_NumWorkGroups.x + x, and
 * gl_NumWorkGroups is the size of the part: so x is divided only where there is a single row. */
int ad_vk_part_count(const uint32_t grid[3], double wanted);
/* Part number `index` of `parts`, a number that ad_vk_part_count() gave for this grid. */
vk_part ad_vk_part_of(const uint32_t grid[3], int parts, int index);
/* Whether more parts would make this one smaller. */
bool ad_vk_part_divisible(const uint32_t grid[3], const vk_part *part);
#endif
