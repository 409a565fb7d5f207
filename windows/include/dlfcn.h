/* Libraries that are loaded while the program runs: those beside the program, and the system's; none of the current
 * folder. */
#ifndef WINDOWS_DLFCN_H
#define WINDOWS_DLFCN_H

enum { RTLD_LAZY = 1, RTLD_NOW = 2, RTLD_LOCAL = 0, RTLD_NODELETE = 0x1000 };
void *windows_dlopen(const char *name, int flags);
void *windows_dlsym(void *library, const char *name);
int windows_dlclose(void *library);
#define dlopen windows_dlopen
#define dlsym windows_dlsym
#define dlclose windows_dlclose
#endif
