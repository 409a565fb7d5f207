#ifndef ADATOM_EXPORT_H
#define ADATOM_EXPORT_H
#if defined(__GNUC__)
#define ADATOM_API __attribute__((visibility("default")))
#define ADATOM_PRINTF(format_at, first) __attribute__((format(printf, format_at, first)))
#else
#define ADATOM_API
#define ADATOM_PRINTF(format_at, first)
#endif
#endif
