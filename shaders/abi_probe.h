/* Push constants of the probes of a device's peaks (probe_*.comp, src/vk/program/probe.c). */
struct ad_push_probe {
    AD_INT turns;   /* of the loop over AD_PROBE_UNROLL * AD_PROBE_SUMS multiply-adds (or matrix products) */
    AD_INT vectors; /* vec4 in the buffer, a multiple of AD_PROBE_GROUP * AD_PROBE_VECTORS */
    AD_FLOAT factor, term;
};
#define AD_PROBE_GROUP 64 /* invocations of a workgroup */
#define AD_PROBE_SUMS                                                                                                  \
    3 /* independent vec4 sums: enough to hide latency, few enough for 16 vector registers of 8 lanes */
#define AD_PROBE_UNROLL 8
#define AD_PROBE_VECTORS 8 /* vec4 an invocation reads or writes */
#define AD_PROBE_MATRIX_SIZE 16
#define AD_PROBE_MATRIX_SUMS 4
