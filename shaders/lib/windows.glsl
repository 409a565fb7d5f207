/* Geometry of AFFINE_POOL*: windows of K x K that lie side by side from the image's corner. Constants, so that taking
 * an item apart needs no division at run time and loops over a window can be unrolled. */
layout(constant_id = 0) const bool ACCUMULATE = false;
layout(constant_id = 2) const int K = 2;
layout(constant_id = 3) const int H = 2;
layout(constant_id = 4) const int W = 2;
layout(constant_id = 5) const int OH = 1;
layout(constant_id = 6) const int OW = 1;
layout(constant_id = 7) const int CHANNELS4 = 1;
const int LINE = W * CHANNELS4; /* vec4s of a row of x */

/* The tap numbers of four channels from one word of `winner`, and back. */
ivec4 unpack_taps(uint word) { return ivec4((uvec4(word) >> uvec4(0, 8, 16, 24)) & 255u); }
uint pack_taps(ivec4 taps) { return uint(taps.x) | uint(taps.y) << 8 | uint(taps.z) << 16 | uint(taps.w) << 24; }
