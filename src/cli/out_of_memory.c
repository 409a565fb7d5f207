#include "out_of_memory.h"

#include <adatom/adatom.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Ends the program at once. No result is left in part, since results are written when they are complete. */
static void give_up(void) {
    static const char sentence[] = "adatom: out of memory\n";
    const ssize_t written = write(STDERR_FILENO, sentence, sizeof sentence - 1);
    (void)written;
    _exit(adatom_status_exit_code(ADATOM_OUT_OF_MEMORY));
}

static void *sure_malloc(size_t size) {
    void *memory = malloc(size);
    if (!memory && size) give_up();
    return memory;
}

void memory_watch(void) { json_set_alloc_funcs(sure_malloc, free); }

#ifdef _WIN32
FILE *memory_stream(char **text, size_t *size) { return open_memstream(text, size); }
#else
typedef struct stream {
    char **text;
    size_t *size, room;
} stream;

static ssize_t append(void *cookie, const char *bytes, size_t count) {
    stream *s = cookie;
    if (s->room - *s->size <= count) {
        const size_t room = 2 * s->room + count + 1;
        char *text = realloc(*s->text, room);
        if (!text) give_up();
        *s->text = text;
        s->room = room;
    }
    memcpy(*s->text + *s->size, bytes, count);
    *s->size += count;
    (*s->text)[*s->size] = 0;
    return (ssize_t)count;
}

static int end(void *cookie) {
    free(cookie);
    return 0;
}

FILE *memory_stream(char **text, size_t *size) {
    stream *s = malloc(sizeof *s);
    FILE *out = NULL;
    *size = 0;
    *text = calloc(1, 1);
    if (s && *text) {
        *s = (stream){.text = text, .size = size, .room = 1};
        out = fopencookie(s, "w", (cookie_io_functions_t){.write = append, .close = end});
    }
    if (out) return out;
    free(s);
    free(*text);
    *text = NULL;
    return NULL;
}
#endif
