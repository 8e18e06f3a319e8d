/*
 * Static probes at the executor's seam (USDT, provider "xensock"), for perf, bpftrace, SystemTap
 * and gdb: where a turn begins and ends, what wakes it, what crosses to the hypervisor, the sockets
 * and the application. xensock-profiling(7) has their table.
 *
 * A probe is one `nop` and a note in the program; nobody looks whether it is on. Its arguments are
 * what the code around it has at hand. Without <sys/sdt.h> (Debian: systemtap-sdt-dev) there are
 * none, and no instruction either. Never in a core: those know nothing of their observers.
 */
#ifndef XENSOCK_SIM_RUN_PROBE_H
#define XENSOCK_SIM_RUN_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __clang__ /* sdt.h calls its own macros as GNU C may */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif

#ifdef XENSOCK_SDT
#include <sys/sdt.h>
#else
#define DTRACE_PROBE2(provider, name, a, b) ((void)(a), (void)(b))
#define DTRACE_PROBE3(provider, name, a, b, c) ((void)(a), (void)(b), (void)(c))
#define DTRACE_PROBE4(provider, name, a, b, c, d) ((void)(a), (void)(b), (void)(c), (void)(d))
#endif

/* A turn of the loop of domain `domid`, at `now_ns` of the run's clock; at its end whether there is
 * more to do at once. */
static inline void probe_turn_begin(uint16_t domid, uint64_t now_ns)
{
    DTRACE_PROBE2(xensock, turn_begin, domid, now_ns);
}

static inline void probe_turn_end(uint16_t domid, uint64_t now_ns, bool more)
{
    DTRACE_PROBE3(xensock, turn_end, domid, now_ns, more);
}

/* A port is notified; the domain takes note that one was. */
static inline void probe_notify(uint16_t domid, uint64_t token, uint32_t port)
{
    DTRACE_PROBE3(xensock, notify, domid, token, port);
}

static inline void probe_wake(uint16_t domid, uint64_t token, uint32_t port)
{
    DTRACE_PROBE3(xensock, wake, domid, token, port);
}

/* The application has called the guest's core (enum trace_call), which returned `ret`; a call that
 * was not done at once is (enum call_kind). */
static inline void probe_request(uint8_t call, uint64_t sock, uint32_t bytes, int64_t ret)
{
    DTRACE_PROBE4(xensock, request, call, sock, bytes, ret);
}

static inline void probe_response(uint32_t call, uint64_t sock, int64_t ret)
{
    DTRACE_PROBE3(xensock, response, call, sock, ret);
}

/* The backend's core wants bytes read from a socket into a ring, or written from it: `bytes` up to
 * the ring's end, and with two spans more from its beginning. */
static inline void probe_net_read(uint64_t token, uint32_t bytes, uint32_t spans)
{
    DTRACE_PROBE3(xensock, net_read, token, bytes, spans);
}

static inline void probe_net_write(uint64_t token, uint32_t bytes, uint32_t spans)
{
    DTRACE_PROBE3(xensock, net_write, token, bytes, spans);
}

/* What became of what it wanted of a socket (enum ev_kind): bytes, or a failure. */
static inline void probe_net_done(uint32_t event, uint64_t token, int64_t ret)
{
    DTRACE_PROBE3(xensock, net_done, event, token, ret);
}

#ifdef __clang__
#pragma clang diagnostic pop
#endif

#endif
