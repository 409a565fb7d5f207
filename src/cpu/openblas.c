#include "cpu/openblas.h"

#include <dlfcn.h>
#include <string.h>

/* A pointer to an object cannot be cast to one to a function in C11; its bytes can be copied. */
static bool find(void *handle, const char *name, void *function) {
    void *symbol = dlsym(handle, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

adatom_status ad_openblas_load(adatom_context *ctx, ad_openblas *out) {
#ifdef _WIN32
    static const char *const names[] = {"libopenblas.dll"}, *const where = "it belongs beside adatom.exe";
#else
    static const char *const names[] = {"libopenblas.so.0", "libopenblas.so"},
                             *const where = "Debian's package libopenblas0 has it";
#endif
    void *handle = NULL;
    for (size_t i = 0; i < AD_COUNT(names) && !handle; i++)
        handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!handle)
        return ad_fail(ctx, ADATOM_UNSUPPORTED,
                       "OpenBLAS, which convolutions are compared with, cannot be loaded (%s; %s)", names[0], where);
    const bool found = find(handle, "cblas_sgemm", &out->sgemm) &&
                       find(handle, "openblas_get_num_threads", &out->get_num_threads) &&
                       find(handle, "openblas_set_num_threads", &out->set_num_threads);
    if (!find(handle, "openblas_get_config", &out->get_config)) out->get_config = NULL;
    dlclose(handle);
    return found ? ADATOM_OK
                 : ad_fail(ctx, ADATOM_UNSUPPORTED, "%s has no cblas_sgemm (another is needed; %s)", names[0], where);
}
