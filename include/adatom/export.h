/* Marks of exported functions, and how structs of the interface are made. */
#ifndef ADATOM_EXPORT_H
#define ADATOM_EXPORT_H
#if defined(__GNUC__)
#define ADATOM_API __attribute__((visibility("default")))
#ifdef _WIN32 /* where printf means Microsoft's */
#define ADATOM_PRINTF(format_at, first) __attribute__((format(gnu_printf, format_at, first)))
#else
#define ADATOM_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#endif
#else
#define ADATOM_API
#define ADATOM_PRINTF(format_at, first)
#endif
/* Marks functions that may change or disappear in any version, without a change of ADATOM_API_VERSION. */
#define ADATOM_EXPERIMENTAL

/* Makes a struct of this interface with its size set and everything else 0: params with every default, or room for an
 * answer. adatom_model_info info = ADATOM_INIT(adatom_model_info); With some members set in C: adatom_method method =
 * {.size = sizeof method, .adapt = ADATOM_ADAPT_FULL}; */
#ifdef __cplusplus
#define ADATOM_INIT(type)                                                                                              \
    ([] {                                                                                                              \
        type made = type();                                                                                            \
        made.size = sizeof(type);                                                                                      \
        return made;                                                                                                   \
    }())
#else
#define ADATOM_INIT(type) ((type){.size = sizeof(type)})
#endif
#endif
