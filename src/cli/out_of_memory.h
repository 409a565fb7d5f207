/* Failed allocations that would go unnoticed: without memory jansson leaves out what it cannot keep, reads a text
 * wrongly or aborts, and a stream in memory loses text. The program ends instead, with one sentence and the exit code
 * of ADATOM_OUT_OF_MEMORY. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stdio.h>

/* From this call on, a failed allocation of jansson ends the program. */
void memory_watch(void);
/* Like open_memstream(): *text is complete after fclose(), and the caller frees it in every case. NULL: no memory. */
FILE *memory_stream(char **text, size_t *size);
#endif
