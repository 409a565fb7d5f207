/* A workgroup takes gl_WorkGroupSize.x/LANES positions, each by LANES invocations side by side, a power of two: lane
 * number i of them takes the vec4s i, i + LANES ... of the position's channels, HELD of them at once, which stay in
 * registers if there are no more. What lies past the last channel is read again at the last one and given no weight; a
 * position past the last one is computed again and not written, so that every invocation reaches the barriers. */
layout(constant_id = 0) const int LANES = 16;
layout(constant_id = 1) const int CHANNELS4 = 1;
const int TURNS = (CHANNELS4 + LANES - 1) / LANES, HELD = TURNS < 8 ? TURNS : 8;
shared vec2 lane_parts[gl_WorkGroupSize.x];

int lane_number() { return int(gl_LocalInvocationID.x) % LANES; }
/* The position of this lane, one past the last ones too. */
int lane_position() { return int(group_index() * gl_WorkGroupSize.x + gl_LocalInvocationID.x) / LANES; }
int lane_channel(int turn) { return min(turn * LANES + lane_number(), CHANNELS4 - 1); }
bool lane_has(int turn) { return turn * LANES + lane_number() < CHANNELS4; }

float sum_of(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

/* Two sums over the lanes of a position, known to all of them; the order of additions is fixed. */
vec2 sum_lanes(vec2 value) {
    if (LANES == 1) return value;
    const int me = int(gl_LocalInvocationID.x);
    lane_parts[me] = value;
    barrier();
    for (int half_way = LANES / 2; half_way > 0; half_way /= 2) {
        if (lane_number() < half_way) lane_parts[me] += lane_parts[me + half_way];
        barrier();
    }
    const vec2 total = lane_parts[me - lane_number()];
    barrier(); /* before the next sum overwrites it */
    return total;
}
