/* Push constants of the kernels of kernels_other.def. Members named *_task are the elements from one task to the next of
 * that operand (0: shared). */
struct ad_push_elementwise { AD_INT a_task, b_task, y_task, count; AD_FLOAT value; };
