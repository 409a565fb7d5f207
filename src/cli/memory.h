/* Memory that is lacking where nobody is told: jansson leaves out what it cannot keep, and a stream in memory what it cannot hold. */
#ifndef CLI_MEMORY_H
#define CLI_MEMORY_H

#include <stdbool.h>
#include <stdio.h>

/* From now on a failed allocation of jansson is remembered. */
void memory_watch(void);
/* Whether something is missing from what jansson or a memory_stream() was given. */
bool memory_failed(void);
/* As open_memstream(): *text is whole after fclose(), and freed by the caller in every case. NULL: no memory. */
FILE *memory_stream(char **text, size_t *size);
#endif
