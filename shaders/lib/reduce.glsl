/* Sum of a float per invocation over the workgroup, known to all; the order of additions is fixed. Every invocation of
 * the workgroup must take part. */
shared float reduce_lanes[gl_WorkGroupSize.x];

float reduce_sum(float value) {
    const uint lane = gl_LocalInvocationID.x;
    reduce_lanes[lane] = value;
    barrier();
    for (uint half_way = gl_WorkGroupSize.x / 2; half_way > 0; half_way /= 2) {
        if (lane < half_way) reduce_lanes[lane] += reduce_lanes[lane + half_way];
        barrier();
    }
    const float total = reduce_lanes[0];
    barrier(); /* before the next sum overwrites it */
    return total;
}
