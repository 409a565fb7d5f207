/* jsonget FILE PATH: prints the value at a dotted path (members by name, array items by number, # for the number of
 * items). */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    json_error_t error;
    json_t *root = json_load_file(argv[1], 0, &error), *at = root;
    if (!root) {
        fprintf(stderr, "%s:%d: %s\n", argv[1], error.line, error.text);
        return 1;
    }
    char *rest = NULL;
    for (char *part = strtok_r(argv[2], ".", &rest); part && at; part = strtok_r(NULL, ".", &rest)) {
        if (strcmp(part, "#") == 0) {
            printf("%zu\n", json_array_size(at));
            json_decref(root);
            return 0;
        }
        at = json_is_array(at) ? json_array_get(at, (size_t)strtoul(part, NULL, 10)) : json_object_get(at, part);
    }
    int status = at ? 0 : 1;
    if (json_is_string(at)) {
        puts(json_string_value(at));
    } else if (at) {
        json_dumpf(at, stdout, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
        putchar('\n');
    }
    json_decref(root);
    return status;
}
