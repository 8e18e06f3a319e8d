/*
 * What `xensock forward` is asked for, in ssh's grammar: [listen-host:]port:host:port.
 */
#ifndef XENSOCK_TOOLS_FORWARD_SPEC_H
#define XENSOCK_TOOLS_FORWARD_SPEC_H

#include "sim/run/forward.h"

#include <stdio.h>

enum { FORWARD_SPEC_TEXT = 320 };

struct forward_spec {
    char listen[FORWARD_SPEC_TEXT], target[FORWARD_SPEC_TEXT]; /* host:port, for people */
    struct forward_rule rule;
};

/* Read one: hosts are names, IPv4 or [IPv6]; the listen-host is loopback if there is none, every
 * address if it is empty or "*". Names are resolved, waiting for it. False after saying what is
 * wrong with which part of `option`. */
bool forward_spec_read(struct forward_spec *spec, const char *option, const char *text);

/* The same of a door for SOCKS programs: [listen-host:]port. */
bool forward_spec_read_door(struct forward_spec *spec, const char *option, const char *text);

#endif
