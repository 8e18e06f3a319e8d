/* Where a program is that a shell would find. Starts nothing. */
#ifndef XENSOCK_TOOLS_SEARCH_PATH_H
#define XENSOCK_TOOLS_SEARCH_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* The first executable file NAME in the folders of PATH; false, and `found` empty, if there is
 * none.
 */
bool search_path(const char *name, char *found, size_t room);

#endif
