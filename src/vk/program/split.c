#include "vk/program/split.h"

#include "base/base.h"

enum { MOST_PARTS = 1 << 14 };

static int inner_axis(const uint32_t grid[3]) { return grid[1] > 1 ? 1 : 0; }

int ad_vk_part_count(const uint32_t grid[3], double wanted) {
    if (!(wanted > 1)) return 1;
    const uint32_t parts = wanted < MOST_PARTS ? (uint32_t)wanted + ((uint32_t)wanted < wanted) : MOST_PARTS;
    if (parts <= grid[2]) return (int)parts;
    const uint32_t tasks = AD_MIN(grid[2], (uint32_t)MOST_PARTS);
    if (tasks < grid[2]) return (int)tasks;
    return (int)(tasks * AD_MIN((parts + tasks - 1) / tasks, grid[inner_axis(grid)]));
}

/* Range number `index` of `parts` ranges of nearly equal size. */
static void divide(uint32_t whole, uint32_t parts, uint32_t index, uint32_t *base, uint32_t *count) {
    const uint32_t begin = (uint32_t)((uint64_t)whole * index / parts);
    *base = begin;
    *count = (uint32_t)((uint64_t)whole * (index + 1) / parts) - begin;
}

vk_part ad_vk_part_of(const uint32_t grid[3], int parts, int index) {
    vk_part part = {.count = {grid[0], grid[1], grid[2]}};
    if ((uint32_t)parts <= grid[2]) {
        divide(grid[2], (uint32_t)parts, (uint32_t)index, &part.base[2], &part.count[2]);
        return part;
    }
    const uint32_t a_task = (uint32_t)parts / grid[2];
    const int axis = inner_axis(grid);
    part.base[2] = (uint32_t)index / a_task;
    part.count[2] = 1;
    divide(grid[axis], a_task, (uint32_t)index % a_task, &part.base[axis], &part.count[axis]);
    return part;
}

bool ad_vk_part_divisible(const uint32_t grid[3], const vk_part *part) {
    return part->count[2] > 1 || part->count[inner_axis(grid)] > 1;
}
