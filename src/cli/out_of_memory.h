/* Memory that is lacking where nobody is told: jansson leaves out what it cannot keep, reads a text wrongly or aborts,
 * and a stream in memory loses what it cannot hold. The program ends then, with one sentence and the exit code of
 * ADATOM_OUT_OF_MEMORY. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stdio.h>

/* From now on a failed allocation of jansson ends the program. */
void memory_watch(void);
/* As open_memstream(): *text is whole after fclose(), and freed by the caller in every case. NULL: no memory. */
FILE *memory_stream(char **text, size_t *size);
#endif
