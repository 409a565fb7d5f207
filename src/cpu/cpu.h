/* The CPU engine: the operations of nn/ops.def in C, OpenMP and OpenBLAS. */
#ifndef AD_CPU_CPU_H
#define AD_CPU_CPU_H

#include "nn/engine.h"

/* threads 0: all processors. The caller destroys it through out->api->destroy. */
adatom_status ad_cpu_engine_create(adatom_context *ctx, int threads, ad_engine **out);
#endif
