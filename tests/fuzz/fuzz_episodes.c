/* Episode lists. Whatever is accepted names pictures of the data set only. */
#include "tests/fake_dataset.h"

#include <adatom/episode.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const size_t sizes[] = {5, 6, 7, 8};
    static const adatom_dataset dataset = {4, sizes, "0123456789abcdef"};
    adatom_context *context = NULL;
    adatom_episodes *list = NULL;
    if (adatom_context_create(NULL, &context) != ADATOM_OK) return 0;
    const adatom_status status = adatom_episodes_parse(context, "fuzz", (const char *)data, size, &dataset, &list);
    if ((status == ADATOM_OK) != (list != NULL) || (status != ADATOM_OK && !adatom_context_message(context)[0]))
        abort();
    if (list) {
        adatom_episodes_info info = ADATOM_INIT(adatom_episodes_info);
        adatom_episodes_describe(list, &info);
        for (int e = 0; e < info.tasks; e++) {
            const int32_t *support = NULL, *query = NULL;
            if (adatom_episodes_get(list, e, &support, &query) != ADATOM_OK) abort();
            for (int i = 0; i < info.way * info.shot; i++)
                if (support[i] < 0 || support[i] >= 26) abort();
            for (int i = 0; i < info.way * info.query; i++)
                if (query[i] < 0 || query[i] >= 26) abort();
        }
    }
    adatom_episodes_destroy(&list);
    adatom_context_destroy(&context);
    return 0;
}
