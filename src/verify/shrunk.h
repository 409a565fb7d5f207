/* The kernel check on the shapes that the benchmark and the tuner time. They are large, and the reference is slow: it
 * gets the same operation on less work. */
#ifndef AD_VERIFY_SHRUNK_H
#define AD_VERIFY_SHRUNK_H

#include "verify/case_list.h"
#include "plan/engine.h"

/* Checks the variant of that name (NULL: every one that applies) on the case with one image of at most two tasks; where
 * the double reference would compute more than most_flops, with the image cut to AD_VERIFY_SIZE. CHECK_FAILED: the
 * message is the first failure. what (NULL, or size bytes): what was compared, e.g. "double precision, b1 12x12"; "" if
 * the variant doesn't apply to the small shape. */
enum { AD_VERIFY_SIZE = 12 };
adatom_status ad_verify_case(ad_engine *engine, const ad_case *c, const char *variant, double most_flops, char *what,
                             size_t size);
#endif
