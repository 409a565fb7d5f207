/* Positive control of kernel_spirv.c: FLAW 0 is sound. Each of the others has a barrier or a subgroup operation that
 * some invocations miss, except 7, which touches through two bindings what a constant says is one. */
#version 450
#extension GL_KHR_shader_subgroup_shuffle : require
layout(local_size_x = 64) in;
layout(push_constant) uniform Push { uint count; } p;
layout(constant_id = 0) const bool IN_PLACE = false;
layout(set = 0, binding = 0) buffer A { uint a[]; };
layout(set = 0, binding = 1) buffer B { uint b[]; };
shared uint lanes[64];

void wait() { barrier(); }
uint mine() { return gl_LocalInvocationID.x; }

void main() {
    uint lane = mine(), sum = 0;
    if (gl_WorkGroupID.x >= p.count) return;
#if FLAW == 1
    for (uint i = lane; i < p.count + lane; i++) { /* as often for all, but the bounds differ */
        lanes[lane] = i;
        barrier();
    }
#elif FLAW == 2
    if (lane >= p.count) return;
#elif FLAW == 3
    if (lane < p.count) wait();
#elif FLAW == 4
    for (uint i = 0; i < p.count; i++) {
        if (a[lane] == i) break;
        barrier();
    }
#elif FLAW == 5
    if (a[lane] > 0) sum += subgroupShuffle(lane, 1);
#elif FLAW == 6
    for (uint i = 0; i < p.count; i++) {
        if (a[lane] == i) continue;
        barrier();
    }
#endif
    lanes[lane] = lane;
    barrier();
    if (lanes[0] < p.count) barrier(); /* all read the same */
    if (lane < 32) sum += lanes[lane + 32];
    wait();
    for (uint i = 0; i < p.count; i++) {
        if (a[lane] == i) continue;
        sum += a[lane + i];
    }
    sum += subgroupShuffle(sum, 1);
    sum += a[lane];
#if FLAW == 7
    b[lane] = sum;
#else
    if (IN_PLACE) a[lane] = sum;
    if (!IN_PLACE) b[lane] = sum;
#endif
}
