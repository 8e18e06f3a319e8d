/* Reading a text file whole, for those who then say what is wrong in it. */
#ifndef XENSOCK_SIM_RUN_TEXTFILE_H
#define XENSOCK_SIM_RUN_TEXTFILE_H

#include "sim/run/diag.h"

/* Read the file `path` of at most `most_bytes` and add it to the sources of `diags`, as *source.
 * Returns its text, to be freed; or NULL with the fault reported. */
char *textfile_read(const char *path, uint32_t most_bytes, struct diag_list *diags,
                    uint32_t *source);

#endif
