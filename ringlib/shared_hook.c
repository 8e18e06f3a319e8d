/*
 * What a fence calls in the hooked build: nothing. A test that wants to know of fences defines the
 * function itself, and the linker then takes no second one from the library.
 */
#include "ringlib/shared.h"

#ifdef XENSOCK_HOOKED
void shared_hook_fence(void)
{
}
#endif
