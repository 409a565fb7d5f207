/* An engine that runs the reference itself, rounded to float32, and can be told to make one kind of mistake: the kernel
 * check is checked with it. */
#ifndef AD_TESTS_FAKE_ENGINE_H
#define AD_TESTS_FAKE_ENGINE_H

#include "plan/engine.h"

typedef enum fake_fault {
    FAKE_SOUND,
    FAKE_WRONG_LAST,   /* the last element of each output is off by one */
    FAKE_WRONG_FIRST,  /* the first element is off by 1e-4 of itself */
    FAKE_UNWRITTEN,    /* the last element of each output is not written */
    FAKE_GUARD_BEFORE, /* a word before the first output is written */
    FAKE_GUARD_AFTER,  /* a word after the first output is written */
    FAKE_OPERAND,      /* the first operand is changed */
    FAKE_UNSTEADY,     /* every other run on the same operands ends with another last bit */
    FAKE_OVERFLOW,     /* what is too large for half precision becomes infinite */
    FAKE_REFUSES,      /* program_create fails */
} fake_fault;

adatom_status fake_engine_create(adatom_context *ctx, fake_fault fault, ad_engine **out);
#endif
