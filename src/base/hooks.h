/* What tests can make fail. Test programs are linked with an object of memory.c that is compiled with
 * ADATOM_TEST_HOOKS and asks the hook (tests/support/hooks.h); the installed library has no hook. */
#ifndef AD_BASE_HOOKS_H
#define AD_BASE_HOOKS_H

#include <stdbool.h>

#ifdef ADATOM_TEST_HOOKS
bool ad_test_allocation_fails(void); /* tests/support/hooks.c */
#else
static inline bool ad_test_allocation_fails(void) { return false; }
#endif
#endif
