#include "lib/accumulate.glsl"
#include "lib/groups.glsl"

/* Gradients of atoms: a workgroup sums its share of the items into K*K numbers, one workgroup an atom and chunk, and
 * writes partial[task][chunk][atom][ij], atoms of all pairs of groups; conv_reduce.comp adds the chunks. The grid is
 * (chunk, atom), atoms fastest, folded; z = task. AD_TAPS_TOGETHER: a workgroup sums all atoms.
 * An item's contribution goes to ad_taps[]; ad_taps_write adds the lanes in order (deterministic) and writes. */
#ifdef AD_TAPS_TOGETHER
const int ATOMS = 1, TAPS = TO * FROM * M * K * K;
#else
const int ATOMS = TO * FROM * M, TAPS = K * K;
#endif
float ad_taps[TAPS];
shared float ad_taps_shared[TAPS * gl_WorkGroupSize.x];

void ad_taps_clear() {
    [[unroll]] for (int t = 0; t < TAPS; t++) ad_taps[t] = 0.0;
}

int ad_taps_atom() { return ad_group() % ATOMS; }
/* Items begin + lane, begin + lane + LANES, ... < end of this invocation. */
int ad_taps_begin() { return ad_group() / ATOMS * p.span + int(gl_LocalInvocationID.x); }
int ad_taps_end(int items) { return min((ad_group() / ATOMS + 1) * p.span, items); }

#define AD_TAPS_WRITE(partial, binding)                                                           \
    {                                                                                             \
        int lanes = int(gl_WorkGroupSize.x), lane = int(gl_LocalInvocationID.x);                  \
        [[unroll]] for (int t = 0; t < TAPS; t++) ad_taps_shared[t * lanes + lane] = ad_taps[t];  \
        barrier();                                                                                \
        for (int t = lane; t < TAPS; t += lanes) {                                                \
            float sum = 0.0;                                                                      \
            for (int l = 0; l < lanes; l++) sum += ad_taps_shared[t * lanes + l];                 \
            int at = ad_task_offset(binding, 1) + ad_group() * TAPS + t;                          \
            partial[at] = ACCUMULATE ? partial[at] + sum : sum;                                   \
        }                                                                                         \
    }
