/* RUN: positions or parts that one invocation reduces, without control flow: the loops over them are unrolled, and what
 * lies past the end is read again at the last place and given no weight (llvmpipe loads lane by lane under control
 * flow). */
layout(constant_id = 0) const uint RUN = 16;
