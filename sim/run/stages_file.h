/* A capture's file as what a result says of it: stages, and the time line. */
#ifndef XENSOCK_SIM_RUN_STAGES_FILE_H
#define XENSOCK_SIM_RUN_STAGES_FILE_H

#include "sim/run/stages_hist.h"

/* Add to the repeat of a result the metrics "stage.NAME" and its `timeline`, of a part of the
 * capture, or for NULL of all of it; of an empty one nothing. False, and the fault filled in, if
 * the file cannot be read to its end; what came before it was added. */
bool stages_file_add(json_t *repeat, const char *path, const struct stages_window *window,
                     struct pcapng_fault *fault);

#endif
