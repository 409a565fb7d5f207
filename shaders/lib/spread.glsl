/* Numbers that every invocation needs, for software drivers that load lane by lane: a workgroup is one subgroup, each
 * lane loads others of them, and they are passed from lane to lane. `mine` is an array of what this lane has loaded:
 * vec4 number l*LANES + lane in mine[l]. */
#extension GL_KHR_shader_subgroup_shuffle : require
const int LANES = int(gl_WorkGroupSize.x);
#define AD_LOADS(count) (((count) + LANES - 1) / LANES)
/* The first `count` vec4 of an operand from `offset` on, of which `there` are there (both at least 1). */
#define AD_SPREAD_LOAD(mine, operand, offset, count, there)            \
    [[unroll]] for (int l = 0; l < AD_LOADS(count); l++)               \
        mine[l] = operand((offset) + min(l * LANES + int(gl_LocalInvocationID.x), min(count, there) - 1));
#define AD_SPREAD(mine, i) subgroupShuffle(mine[(i) / LANES], (i) % LANES)
#define AD_SPREAD_NUMBER(mine, i) subgroupShuffle(mine[(i) / 4 / LANES][(i) % 4], (i) / 4 % LANES)
