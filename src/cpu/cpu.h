/* The CPU engine: the operations of plan/ops.def in C and OpenMP. Its own register tiles (cpu/tile.h) do
 * the products. */
#ifndef AD_CPU_CPU_H
#define AD_CPU_CPU_H

#include "plan/engine.h"

/* threads 0: all processors. The caller destroys it through out->api->destroy. */
adatom_status ad_cpu_engine_create(adatom_context *ctx, int threads, ad_engine **out);
/* What describe() of such an engine tells, without making one. */
void ad_cpu_describe(int threads, adatom_device_info *out);
#endif
