/* Convolutions of GROUPS groups of channels, where AD_GROUPED is defined: C is then the inputs of one group, O the
 * outputs of all; w is [K*K][C][O]. A tile of columns lies in one group. Without it the kernel is the plain one. */
#ifdef AD_GROUPED
layout(constant_id = AD_SPEC_GROUPS) const int GROUPS = 1;
const int PIXEL4 = C4 * GROUPS;   /* vec4 of a pixel of x */
const int GROUP_O4 = O4 / GROUPS; /* vec4 of the outputs of a group */
#define AD_IN_GROUP(column) ((column) % C4)
#else
#define PIXEL4 C4
#define GROUP_O4 O4
#define AD_IN_GROUP(column) (column)
#endif
