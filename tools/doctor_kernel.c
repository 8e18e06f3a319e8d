/* Descriptors, memory files, sockets, TCP and counters. See doctor.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/doctor.h"
#include "tools/launch.h"
#include "tools/perf_event.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/eventfd.h>
#include <sys/personality.h>
#endif
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { GUESTS = SCENARIO_PROCESSES_MAX, SOCKETS_ENOUGH = 16 };

/* ---- limits ---- */

static void descriptors(struct doctor *doctor)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    uint64_t most = limit.rlim_cur == RLIM_INFINITY ? INT32_MAX : limit.rlim_cur;
    uint64_t one = launch_needs(1, 1, 2, 2), all = launch_needs(GUESTS, 1, 1, 0);
    uint64_t of_socket = launch_needs(0, 0, 0, 1) - launch_needs(0, 0, 0, 0);
    uint64_t each = most > all ? (most - all) / of_socket / GUESTS : 0;
    struct doctor_words words = {
        DOCTOR_OK, "descriptors",
        "the hypervisor of a run holds the most: some for each guest and for "
        "each socket",
        NULL};

    if (most < one)
        words = (struct doctor_words){DOCTOR_UNUSABLE, "descriptors",
                                      "not even a guest with two sockets can be run as processes",
                                      "ulimit -n 4096, or mode 'virtual'"};
    else if (each < SOCKETS_ENOUGH)
        words = (struct doctor_words){
            DOCTOR_NOTE, "descriptors", "runs with many guests or sockets are refused (E0116)",
            "ulimit -n 65536 (its hard limit: root, or limits.conf), or mode "
            "'virtual'"};
    doctor_say(doctor, &words, "%" PRIu64 ": %d guests have room for %" PRIu64 " sockets each",
               most, GUESTS, each);
}

/* Whether the scenario that was named has enough of them. */
static void scenario(struct doctor *doctor)
{
    static struct diag_list diags;

    if (!doctor->scenario || doctor->scenario->mode == SCENARIO_VIRTUAL)
        return;
    diag_init(&diags);
    diag_add_source(&diags, doctor->scenario->name, NULL);
    bool fits = launch_fits(doctor->scenario, &diags);
    doctor_say(doctor,
               &(struct doctor_words){fits ? DOCTOR_OK : DOCTOR_UNUSABLE, "scenario",
                                      fits ? "it has the descriptors that it needs"
                                           : diags.entries[0].message,
                                      fits ? NULL : diags.entries[0].hint},
               "%s", doctor->scenario->name);
    diag_fini(&diags);
}

static void locked_memory(struct doctor *doctor)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return;
    bool little = limit.rlim_cur < (4u << 20) && geteuid() != 0;
    doctor_say(
        doctor,
        &(struct doctor_words){little ? DOCTOR_NOTE : DOCTOR_OK, "locked-memory",
                               little ? "--perf of a run with many processes has no room for its "
                                        "buffers"
                                      : "enough for the buffers of --perf, the only user",
                               little ? "ulimit -l 8192" : NULL},
        limit.rlim_cur == RLIM_INFINITY ? "unlimited" : "%" PRIu64 " KiB",
        (uint64_t)limit.rlim_cur / 1024);
}

/* ---- what processes share ---- */

/* What a run cannot do without. */
static void need(struct doctor *doctor, const char *name, const char *means, bool there)
{
    doctor_say(doctor,
               &(struct doctor_words){there ? DOCTOR_OK : DOCTOR_UNUSABLE, name, means,
                                      there
                                          ? NULL
                                          : "another kernel or container profile; mode 'virtual'; "
                                            "or cmake --preset posix, which needs POSIX alone"},
               there ? "works" : "refused: %s", strerror(errno));
}

#ifdef __linux__
static bool seals(void)
{
    int fd = memfd_create("doctor", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    bool works = fd >= 0 && ftruncate(fd, 4096) == 0 &&
                 fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE) == 0;

    if (fd >= 0)
        close(fd);
    return works;
}

static bool event_fd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}
#endif

static bool packets(void)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) < 0)
        return false;
    close(fds[0]);
    close(fds[1]);
    return true;
}

static void shared(struct doctor *doctor)
{
#ifdef __linux__
    need(doctor, "memfd", "pages that guests grant are memory files, sealed against shrinking",
         seals());
    need(doctor, "eventfd", "event channels are pairs of them", event_fd());
#endif
    need(doctor, "unix-sockets", "domains speak to the hypervisor over SOCK_SEQPACKET", packets());
    bool there = doctor_there(doctor, "/dev/shm");
    doctor_say(doctor,
               &(struct doctor_words){there ? DOCTOR_OK : DOCTOR_MISSING, "dev-shm",
                                      "used by the preset posix alone, for what is memfd otherwise",
                                      there ? NULL : "mount -t tmpfs none /dev/shm"},
               there ? "there" : "absent");
}

/* ---- the network ---- */

static void loopback(struct doctor *doctor)
{
    int64_t mtu;

    if (!doctor_number(doctor, "/sys/class/net/lo/mtu", &mtu))
        return;
    bool usual = mtu == 65536;
    doctor_say(
        doctor,
        &(struct doctor_words){usual ? DOCTOR_OK : DOCTOR_NOTE, "loopback",
                               usual ? "large writes to a peer pass in few segments"
                                     : "a large write to a peer is more segments than elsewhere",
                               usual ? NULL : "ip link set lo mtu 65536"},
        "MTU %" PRId64, mtu);
}

static void congestion(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];

    if (!doctor_line(doctor, "/proc/sys/net/ipv4/tcp_congestion_control", "", line))
        return;
    bool paces = strncmp(line, "bbr", 3) == 0;
    doctor_say(
        doctor,
        &(struct doctor_words){
            paces ? DOCTOR_NOTE : DOCTOR_OK, "congestion-control",
            paces ? "it paces on loopback, too: streams of large writes to peers get half of what "
                    "cubic gives, and a proxy beside plain TCP looks better than it is"
                  : "it does not pace on loopback",
            paces ? "sysctl net.ipv4.tcp_congestion_control=cubic; tools/bench asks for cubic by "
                    "itself"
                  : NULL},
        "%s", line);
}

/* The last of the three numbers is how far the kernel lets a buffer grow by itself. */
static void buffers(struct doctor *doctor)
{
    static const char *const names[] = {"tcp_rmem", "tcp_wmem"};
    char path[64], line[DOCTOR_LINE_BYTES];

    for (size_t i = 0; i < 2; i++) {
        uint64_t least, usual, most;
        snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", names[i]);
        if (!doctor_line(doctor, path, "", line) ||
            sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &least, &usual, &most) != 3)
            continue;
        bool small = most < 1u << 20;
        doctor_say(
            doctor,
            &(struct doctor_words){small ? DOCTOR_NOTE : DOCTOR_OK, names[i],
                                   small ? "sockets hold less than a large ring: their ends wait "
                                           "for each other more often"
                                         : "sockets hold more than the largest ring",
                                   small ? "sysctl net.ipv4.tcp_rmem, tcp_wmem: a last number of "
                                           "some MiB"
                                         : NULL},
            "%" PRIu64 " to %" PRIu64 " bytes", least, most);
    }
}

static void busy_poll(struct doctor *doctor)
{
    int64_t poll = 0, read = 0;

    doctor_number(doctor, "/proc/sys/net/core/busy_poll", &poll);
    doctor_number(doctor, "/proc/sys/net/core/busy_read", &read);
    bool off = poll == 0 && read == 0;
    doctor_say(
        doctor,
        &(struct doctor_words){off ? DOCTOR_OK : DOCTOR_NOTE, "busy-poll",
                               off ? "who waits for a socket sleeps"
                                   : "who waits for a socket spins first: shorter latencies, more "
                                     "CPU time, and less of it for who shares the CPU",
                               off ? NULL : "sysctl net.core.busy_poll=0 net.core.busy_read=0"},
        off ? "off" : "%" PRId64 " us, reads %" PRId64 " us", poll, read);
}

/* ---- who may look ---- */

static void addresses(struct doctor *doctor)
{
#ifdef __linux__
    int64_t level = 0, bits = 0;

    doctor_number(doctor, "/proc/sys/kernel/randomize_va_space", &level);
    doctor_number(doctor, "/proc/sys/vm/mmap_rnd_bits", &bits);
    bool off = level == 0 || (personality(0xffffffff) & ADDR_NO_RANDOMIZE);
    bool wide = !off && bits > 28;
    doctor_say(
        doctor,
        &(struct doctor_words){
            wide ? DOCTOR_NOTE : DOCTOR_OK, "aslr",
            wide  ? "sanitizers of gcc 12 and clang 14 crash at the start now and then; and where "
                    "code and stack lie moves short results by some per cent from run to run"
            : off ? "code and stack lie where they lay: one placement, good or bad, each time"
                  : "where code and stack lie moves short results by some per cent from run to run",
            wide ? "setarch -R before such a build; more repeats" : NULL},
        off ? "off" : "on, %" PRId64 " bits", bits);
#else
    (void)doctor;
#endif
}

static void tracing(struct doctor *doctor)
{
    int64_t scope = 0;
    bool known = doctor_number(doctor, "/proc/sys/kernel/yama/ptrace_scope", &scope);
    bool narrow = scope >= 2 || (scope == 1 && geteuid() != 0);

    doctor_say(
        doctor,
        &(struct doctor_words){narrow ? DOCTOR_NOTE : DOCTOR_OK, "ptrace",
                               narrow ? "gdb -p and strace -p cannot attach to a part of a run"
                                      : "gdb -p and strace -p can attach to a part of a run",
                               narrow ? "start the part under gdb (xensock-profiling(7)), or "
                                        "sysctl kernel.yama.ptrace_scope=0"
                                      : NULL},
        known ? "scope %" PRId64 : "no restriction", scope);
}

static void counters(struct doctor *doctor)
{
    const char *event = perf_event_name();
    const char *why = strerror(errno);
    int64_t paranoid = 2;
    bool known = doctor_number(doctor, "/proc/sys/kernel/perf_event_paranoid", &paranoid);
    bool blind = paranoid > 1 && geteuid() != 0;

    doctor_say(
        doctor,
        &(struct doctor_words){blind ? DOCTOR_NOTE : DOCTOR_OK, "perf-paranoid",
                               blind ? "--perf does not see the kernel, where most of a run's time "
                                       "is spent"
                                     : "--perf sees the kernel, too",
                               blind ? "sysctl kernel.perf_event_paranoid=1" : NULL},
        known ? "%" PRId64 : "not readable", paranoid);
    if (!event)
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_MISSING, "perf-events", "--perf can count nothing",
                                   "sysctl kernel.perf_event_paranoid=1; a container's seccomp "
                                   "profile may forbid it"},
            "%s", why);
    else if (strcmp(event, "cycles") == 0)
        doctor_say(doctor,
                   &(struct doctor_words){DOCTOR_OK, "perf-events",
                                          "cycles, misses and branches can be counted", NULL},
                   "hardware counters");
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_NOTE, "perf-events",
                                   "perf samples by a timer, which waits while interrupts are off: "
                                   "that time is charged to where they come on again; no misses",
                                   "a machine with counters, or a host that passes them on"},
            "cpu-clock only, no hardware counters");
}

void doctor_kernel(struct doctor *doctor)
{
    descriptors(doctor);
    scenario(doctor);
    locked_memory(doctor);
    shared(doctor);
    loopback(doctor);
    congestion(doctor);
    buffers(doctor);
    busy_poll(doctor);
    addresses(doctor);
    tracing(doctor);
    counters(doctor);
}
