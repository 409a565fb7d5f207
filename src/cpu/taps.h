/* Lists of the taps that meet one position, for the kernels that work position by position. */
#ifndef AD_CPU_TAPS_H
#define AD_CPU_TAPS_H

#include "cpu/cpu_internal.h"

/* Scratch of one thread, in floats. */
size_t ad_cpu_taps_floats(const ad_op *op);
/* An empty list in the calling thread's part of `scratch`, with psi [m][k*k] of each pair of groups transposed (zeros
 * if psi is NULL). */
ad_cpu_taps ad_cpu_taps_begin(const ad_op *op, const float *psi, float *scratch);
/* The rows of image [h][w][c] that output (p, q) reads: a tap for each group of inputs. */
void ad_cpu_taps_read(const ad_geometry *g, ad_cpu_taps *taps, const float *image, int p, int q);
/* The rows of outputs [oh][ow][groups][step] that read input (h, w): a tap for each group of outputs. */
void ad_cpu_taps_written(const ad_geometry *g, ad_cpu_taps *taps, const float *outputs, size_t step, int h, int w);
#endif
