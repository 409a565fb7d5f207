/* Four floats at element `at` (a multiple of 4) of a tensor of which `left` elements remain. A tensor V is seen both as
 * vec4 V4[] and as float V[], which is used for the last elements where TAIL, their number is no multiple of 4. */
layout(constant_id = 0) const bool TAIL = true;

#define LOAD4(view, at, left)                                                                                    \
    (!TAIL || (left) >= 4 ? view##4[(at) / 4]                                                                    \
                          : vec4(view[at], (left) > 1 ? view[(at) + 1] : 0.0, (left) > 2 ? view[(at) + 2] : 0.0, 0.0))
#define STORE4(view, at, left, value)                                                                            \
    {                                                                                                            \
        const vec4 stored = value;                                                                               \
        if (!TAIL || (left) >= 4) {                                                                              \
            view##4[(at) / 4] = stored;                                                                          \
        } else {                                                                                                 \
            view[at] = stored.x;                                                                                 \
            if ((left) > 1) view[(at) + 1] = stored.y;                                                           \
            if ((left) > 2) view[(at) + 2] = stored.z;                                                           \
        }                                                                                                        \
    }
