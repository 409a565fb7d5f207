/* Whole networks, all of them or the one of the number given: network gradient|DEVICE [NUMBER]. */
#include "tests/network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

adatom_context *ctx;
int failures;

void must(adatom_status status, const char *what) {
    if (status == ADATOM_OK) return;
    fprintf(stderr, "%s: %s: %s\n", what, adatom_status_name(status), adatom_context_message(ctx));
    exit(1);
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "gradient";
    const int first = argc > 2 ? atoi(argv[2]) : 0, end = argc > 2 ? first + 1 : setting_count;
    if (first < 0 || end > setting_count) return 2;
    must(adatom_context_create(NULL, &ctx), "context");
    if (strcmp(what, "gradient") == 0) {
        for (int i = first; i < end; i++) {
            check_gradient(&settings[i], i);
            if (settings[i].lowrank.kind != AD_LOWRANK_NONE) check_merge(&settings[i], i);
        }
    } else {
        adatom_device *device = NULL;
        const adatom_device_params params = {.size = sizeof(adatom_device_params),
                                             .select = what,
                                             .threads = 2}; /* with more, two tasks are too few to run by task */
        adatom_status status = adatom_device_open(ctx, &params, &device);
        if (status == ADATOM_NO_DEVICE && !getenv("CI")) return 77;
        must(status, what);
        for (int i = first; i < end; i++) {
            check_engine(device->engine, &settings[i], i, false);
            if (settings[i].adapt == ATOMS) check_engine(device->engine, &settings[i], i, true);
        }
        adatom_device_destroy(&device);
    }
    adatom_context_destroy(&ctx);
    printf("%s: %d networks, %d failures\n", what, end - first, failures);
    return failures != 0;
}
