/* Geometry of POOL and POOL_BACK. Constants, so that taking an item apart needs no division at run time. */
layout(constant_id = 0) const bool ACCUMULATE = false;
layout(constant_id = 1) const bool AVERAGE = false;
layout(constant_id = 2) const int K = 2;
layout(constant_id = 3) const int STRIDE = 2;
layout(constant_id = 4) const int PAD = 0;
layout(constant_id = 5) const int H = 2;
layout(constant_id = 6) const int W = 2;
layout(constant_id = 7) const int OH = 1;
layout(constant_id = 8) const int OW = 1;
layout(constant_id = 9) const int CHANNELS4 = 1;
layout(constant_id = 10) const bool WHOLE = false; /* no window leaves the image */
const int LINE = W * CHANNELS4; /* vec4s of a row of x */
