/* Linked into every executable of a build with sanitizers, and only there: what they must know wherever a program is
 * started, in an empty environment too. */

int dlclose(void *library);
const char *__lsan_default_suppressions(void);
const char *__tsan_default_options(void);

/* Drivers stay loaded, so that what they and their compiler keep until the process ends is known as theirs. */
__attribute__((visibility("default"))) int dlclose(void *library) { return library == 0; }

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void) {
    return "leak:libvulkan\n"
           "leak:libLLVM\n"
           "leak:libVkLayer\n"
           "leak:libgomp\n"
           /* codecs behind libheif, where a picture is damaged */
           "leak:libdav1d\n"
           "leak:libde265\n"
           "leak:libaom\n";
}

/* Libraries that are not built with the sanitizer synchronize in ways it does not see. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void) {
    return "ignore_noninstrumented_modules=1";
}
