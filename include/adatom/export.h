/* Marks on what the library exports, and how its structs begin. */
#ifndef ADATOM_EXPORT_H
#define ADATOM_EXPORT_H
#if defined(__GNUC__)
#define ADATOM_API __attribute__((visibility("default")))
#define ADATOM_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#else
#define ADATOM_API
#define ADATOM_PRINTF(format_at, first)
#endif
/* On what may still change or go in any version, ADATOM_API_VERSION or not. */
#define ADATOM_EXPERIMENTAL

/* A struct of this interface with its size and nothing else: every default, or room for an answer.
 *     adatom_model_info info = ADATOM_INIT(adatom_model_info);
 * With members: adatom_method method = {.size = sizeof method, .adapt = ADATOM_ADAPT_FULL}; */
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
