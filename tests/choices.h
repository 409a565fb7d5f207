/* Values of enums by their texts, for tables of tests; NULL is the default. */
#ifndef AD_TESTS_CHOICES_H
#define AD_TESTS_CHOICES_H

#include <adatom/choice.h>
#include <stdlib.h>

#define CHOICE_OF(function, type)                                                                                      \
    static inline type function(const char *text) {                                                                    \
        type value = (type)0;                                                                                          \
        if (text && !type##_parse(text, &value)) abort(); /* the table is wrong */                                     \
        return value;                                                                                                  \
    }
CHOICE_OF(adapt_of, adatom_adapt_kind)
CHOICE_OF(bn_of, adatom_bn)
CHOICE_OF(estimate_of, adatom_estimate)
CHOICE_OF(head_of, adatom_head)
CHOICE_OF(layout_of, adatom_layout)
CHOICE_OF(optimizer_of, adatom_optimizer)
CHOICE_OF(sharing_of, adatom_sharing)
CHOICE_OF(stem_of, adatom_stem)
#undef CHOICE_OF

/* The methods are 1 .. ADAPT_KINDS - 1. */
#define CHOICE_COUNTED(value, text) +1
enum { ADAPT_KINDS = 0 ADATOM_ADAPT_LIST(CHOICE_COUNTED) };
/* Of these, those from here on are solved on the host, and no adapter holds them. */
enum { SOLVED_KINDS = ADATOM_ADAPT_LOGISTIC };
#undef CHOICE_COUNTED
#endif
