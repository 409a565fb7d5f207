/* shapes FOLDER CLASSES FIRST COUNT SIZE [SPLIT]: writes pictures FIRST .. FIRST+COUNT-1 of CLASSES classes of a split
 * (novel) of builtin:shapes, spread over it, as FOLDER/CLASS/NUMBER.ppm. */
#include <adatom/dataset.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static int write_picture(const char *path, const uint8_t *pixels, int size) {
    FILE *file = fopen(path, "wb");
    if (!file) return 1;
    const size_t bytes = (size_t)size * (size_t)size * 3;
    const int bad = fprintf(file, "P6 %d %d 255\n", size, size) < 0 || fwrite(pixels, 1, bytes, file) != bytes;
    return (fclose(file) != 0) | bad;
}

int main(int argc, char **argv) {
    if (argc != 6 && argc != 7) return 2;
    const int classes = atoi(argv[2]), begin = atoi(argv[3]), count = atoi(argv[4]), size = atoi(argv[5]);
    adatom_context *context = NULL;
    adatom_dataset *dataset = NULL;
    const adatom_dataset_params params = {.size = sizeof(adatom_dataset_params),
                                          .image_size = size,
                                          .split = argc == 7 ? argv[6] : "novel",
                                          .builtin_per_class = begin + count};
    int failed =
        adatom_context_create(NULL, &context) || adatom_dataset_open(context, "builtin:shapes", &params, &dataset);
    adatom_dataset_info info = ADATOM_INIT(adatom_dataset_info);
    if (!failed) {
        adatom_dataset_describe(dataset, &info);
        mkdir(argv[1], 0777);
    }
    for (int c = 0; c < classes && !failed; c++) {
        const char *name;
        size_t first, images;
        char path[4096];
        failed = adatom_dataset_class(dataset, c * info.classes / classes, &name, &first, &images);
        if (failed) break;
        snprintf(path, sizeof path, "%s/%s", argv[1], name);
        mkdir(path, 0777);
        for (int i = begin; i < begin + count && !failed; i++) {
            snprintf(path, sizeof path, "%s/%s/%d.ppm", argv[1], name, i);
            failed = write_picture(path, adatom_dataset_pixels(dataset, first + (size_t)i), size);
        }
    }
    if (failed) fprintf(stderr, "shapes: %s\n", context ? adatom_context_message(context) : "out of memory");
    adatom_dataset_destroy(&dataset);
    adatom_context_destroy(&context);
    return failed;
}
