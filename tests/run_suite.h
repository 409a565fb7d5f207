/* What every Check executable shares. */
#ifndef RUN_SUITE_H
#define RUN_SUITE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Check's assertion of a status that says, like the library, what went wrong; of the test's context `ctx`. */
#define OK(expression) ck_assert_msg((expression) == ADATOM_OK, "%s: %s", #expression, adatom_context_message(ctx))

/* Params of adatom_adapt_episodes() and its kin for a method on a list of episodes; others may follow by name. */
#define RUN(...) RUN_(__VA_ARGS__, .size = sizeof(adatom_adapt_params))
#define RUN_(data, list, how, ...)                                                                                     \
    (&(adatom_adapt_params){.dataset = (data), .episodes = (list), .method = &(how), __VA_ARGS__})

/* An empty file of its own for each test: path's last six characters are what differs. */
static inline void make_file(char *path) {
    strcpy(path + strlen(path) - 6, "XXXXXX");
    const int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
}

/* Runs and frees the suite; the exit status. CK_NOFORK for what starts threads, OpenMP's or a driver's: they don't
 * survive a fork. Check's time limits hold only where it forks; ctest's hold for all. */
static inline int run_suite(Suite *suite, enum fork_status forks) {
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, forks);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
#endif
