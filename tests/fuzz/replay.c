/* Gives every file of a folder to a fuzz target, so that ctest replays the corpus without libFuzzer. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) return -1;
    /* Exactly as long as the input, so that the address sanitizer sees a read past its end. */
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *data = size > 0 ? malloc((size_t)size) : NULL;
    rewind(file);
    int result = -1;
    if (size == 0 || (data && fread(data, 1, (size_t)size, file) == (size_t)size))
        result = LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    fclose(file);
    return result;
}

int main(int argc, char **argv) {
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (!folder) {
        fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
        return 2;
    }
    int inputs = 0, failures = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] == '.') continue;
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        inputs++;
        if (replay(path) != 0) {
            fprintf(stderr, "%s: failed\n", path);
            failures++;
        }
    }
    closedir(folder);
    printf("%d inputs, %d failures\n", inputs, failures);
    return inputs > 0 && failures == 0 ? 0 : 1;
}
