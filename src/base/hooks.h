/* What tests can make fail. The library knows of it at compile time only where a test is linked with such an object of
 * its own (tests/support/hooks.h): what is installed has none. */
#ifndef AD_BASE_HOOKS_H
#define AD_BASE_HOOKS_H

#include <stdbool.h>

#ifdef ADATOM_TEST_HOOKS
bool ad_test_allocation_fails(void); /* tests/support/hooks.c */
#else
static inline bool ad_test_allocation_fails(void) { return false; }
#endif
#endif
