/* A case: one operation with sizes, operands and a name; and lists of cases. The kernel check proves cases, the
 * benchmark and the tuner time them. */
#ifndef AD_VERIFY_CASE_LIST_H
#define AD_VERIFY_CASE_LIST_H

#include "plan/plan.h"

typedef struct ad_case {
    ad_op op;  /* op.t[r]: the role whose tensor role r uses: r, an earlier role (in place), or -1 (absent) */
    int tasks; /* of the plan; op.tasks is this or 1 */
    size_t count[AD_OP_TENSORS]; /* elements of each role's tensor, per task */
    uint32_t shared;             /* bit r: role r's tensor is one for all tasks */
    uint32_t half;               /* bit r: it is AD_F16 */
    int32_t counter;             /* the value of the counter operand */
    bool lost;                   /* some operands are not finite: x, residual or dy hold NaN, logits infinities, too */
    int unlabelled;              /* one row of so many has a label of no class, negative ones too; 0: none has */
    bool quick;                  /* belongs to the quick check */
    char shape[120];             /* in words, e.g. "t2 n3 h7 w7 c8 o12 k3 s2 p1 d1 shared-w" */
} ad_case;

typedef struct ad_case_list {
    adatom_context *ctx;
    ad_case *cases;
    int count, capacity;
    bool failed; /* out of memory, message set */
} ad_case_list;

void ad_case_list_clear(ad_case_list *list);

/* A case starts with every role present but coef and residual of CONV, mix and teacher of SOFTMAX_CE, each with a
 * tensor of its own and with task strides (but for the roles that never have them). */
ad_case ad_case_of(int kind, int tasks, ad_geometry g);
void ad_case_absent(ad_case *c, int role);
void ad_case_present(ad_case *c, int role);
void ad_case_share(ad_case *c, int role);
void ad_case_halve(ad_case *c, int role);
/* Gives the operation activation act (plan/activation.h) and the parameter of the leaky one. */
void ad_case_activate(ad_case *c, int act);
/* The same for AFFINE_SUMS and AFFINE_BACK, which keep of their operands those that its derivative is taken from. */
void ad_case_activate_back(ad_case *c, int act);
/* Role `role` uses the tensor of the earlier role `with`. */
void ad_case_alias(ad_case *c, int role, int with);
/* Appends a copy of c and names it. Sizes that are still 0 come from ad_op_elements; words (may be NULL) end
 * the name. */
void ad_case_add(ad_case_list *list, ad_case c, bool quick, const char *words);

/* g with oh and ow computed; k, stride and dil of 0 become 1. pad = AD_CASE_SAME: as TensorFlow's SAME, for images
 * whose rows and columns have equal padding before the first. */
enum { AD_CASE_SAME = -1 };
ad_geometry ad_case_geometry(ad_geometry g);

/* Whether ops.def gives the role no task stride whatever the number of tasks (index, labels, counter...). */
bool ad_case_never_tasked(int kind, int role);
bool ad_case_role_is(int kind, int role, const char *name);

/* A plan with the one operation of the case, every tensor between two guards of AD_CASE_GUARD bytes in one arena.
 * *whole is a tensor of bytes that covers the arena. Tensor op.t[r] of the plan belongs to role r. NULL:
 * message set. */
enum { AD_CASE_GUARD = 256 };
ad_plan *ad_case_plan(adatom_context *ctx, const ad_case *c, int *whole);
/* Fills an image of the arena: guards, gaps and pure outputs with AD_CASE_NAN words, operands with numbers from seed:
 * integers in [-3,3], or reals. */
#define AD_CASE_NAN 0x7fe57fe5u /* a NaN, and two of them in half precision */
void ad_case_fill(const ad_case *c, const ad_plan *plan, uint64_t seed, bool integers, uint8_t *image);
#endif
