/* CPUs, their clocks and their load, as the kernel tells. See doctor.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/doctor.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <unistd.h>

#define CPU "/sys/devices/system/cpu/"

/* ---- how many CPUs ---- */

static uint32_t allowed_cpus(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (uint32_t)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (uint32_t)online : 1;
}

static void cpus(struct doctor *doctor)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    doctor->cpus = allowed_cpus();
    if (doctor->cpus > 1)
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_OK, "cpus",
                                   "processes run side by side; which ones share a CPU moves "
                                   "results unless the scenario's `cpu` says",
                                   NULL},
            "%u of %ld usable", doctor->cpus, online);
    else
        doctor_say(doctor,
                   &(struct doctor_words){
                       DOCTOR_NOTE, "cpus",
                       "all processes take turns: steady, but the cost of instructions and "
                       "switches is what is measured, nothing runs at the same time",
                       "compare with results of one CPU alone; or allow more (taskset, "
                       "the container's cpuset)"},
                   "1 of %ld usable", online);
}

/* The least quota of this process's control groups, in thousandths of a CPU; 0: there is none. */
static uint64_t quota_unified(const struct doctor *doctor, const char *group)
{
    char path[DOCTOR_LINE_BYTES + 64], line[DOCTOR_LINE_BYTES], own[DOCTOR_LINE_BYTES];
    uint64_t least = 0;

    snprintf(own, sizeof(own), "%s", group);
    for (size_t bytes = strlen(own);;) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup%s/cpu.max", own);
        uint64_t quota, period;
        if (doctor_line(doctor, path, "", line) &&
            sscanf(line, "%" SCNu64 " %" SCNu64, &quota, &period) == 2 && period > 0 &&
            (least == 0 || quota * 1000 / period < least))
            least = quota * 1000 / period;
        while (bytes > 0 && own[bytes - 1] != '/')
            bytes--;
        if (bytes == 0)
            return least;
        own[--bytes] = '\0';
    }
}

static uint64_t quota_legacy(const struct doctor *doctor)
{
    int64_t quota, period;

    if (doctor_number(doctor, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota) && quota > 0 &&
        doctor_number(doctor, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period) && period > 0)
        return (uint64_t)(quota * 1000 / period);
    return 0;
}

static void quota(struct doctor *doctor)
{
    char group[DOCTOR_LINE_BYTES];
    uint64_t milli = doctor_line(doctor, "/proc/self/cgroup", "0::", group)
                         ? quota_unified(doctor, strcmp(group, "/") == 0 ? "" : group)
                         : 0;

    milli = milli ? milli : quota_legacy(doctor);
    if (milli == 0 || milli >= (uint64_t)doctor->cpus * 1000)
        doctor_say(doctor,
                   &(struct doctor_words){
                       DOCTOR_OK, "quota",
                       "no control group stops the processes before their CPUs do", NULL},
                   milli ? "%" PRIu64 ".%03u CPUs" : "none", milli / 1000,
                   (unsigned)(milli % 1000));
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_UNRELIABLE, "quota",
                                   "when it is used up all processes stand still until the next "
                                   "period, up to 100 ms: the tail of every latency is that",
                                   "raise or remove the quota (docker --cpus, a CI job's limit), "
                                   "or use mode 'virtual'"},
            "%" PRIu64 ".%03u CPUs of %u usable", milli / 1000, (unsigned)(milli % 1000),
            doctor->cpus);
}

/* ---- how fast they are, and when they sleep ---- */

static void governor(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];

    if (!doctor_line(doctor, CPU "cpu0/cpufreq/scaling_governor", "", line))
        doctor_say(doctor,
                   &(struct doctor_words){
                       DOCTOR_OK, "governor",
                       "in a virtual machine the host decides; it may be anything", NULL},
                   "not readable");
    else if (strcmp(line, "performance") == 0)
        doctor_say(doctor,
                   &(struct doctor_words){DOCTOR_OK, "governor",
                                          "the clock does not follow the load", NULL},
                   "%s", line);
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_NOTE, "governor",
                                   "the clock follows the load: a run that waits often is run "
                                   "slower than one that is busy, and short runs slower than long",
                                   "cpupower frequency-set -g performance"},
            "%s", line);
}

static void turbo(struct doctor *doctor)
{
    int64_t value;
    bool known = true, on = false;

    if (doctor_number(doctor, CPU "intel_pstate/no_turbo", &value))
        on = value == 0;
    else if (doctor_number(doctor, CPU "cpufreq/boost", &value))
        on = value == 1;
    else
        known = false;
    if (on)
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_NOTE, "turbo",
                                   "a CPU is faster while the others idle and while it is cool: "
                                   "the first runs of a series are better than the later ones",
                                   "echo 1 > " CPU "intel_pstate/no_turbo, or 0 > " CPU
                                   "cpufreq/boost; or measure in turns"},
            "on");
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_OK, "turbo",
                                   known ? "the clock does not depend on the neighbours' idleness"
                                         : "nothing tells; a virtual machine's host may have it",
                                   NULL},
            known ? "off" : "not readable");
}

/* How long the deepest idle state of CPU 0 takes to leave. */
static void idle(struct doctor *doctor)
{
    char path[128], driver[DOCTOR_LINE_BYTES];
    int64_t longest = -1, latency;

    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof(path), CPU "cpu0/cpuidle/state%d/disable", i);
        int64_t disabled = 0;
        doctor_number(doctor, path, &disabled);
        snprintf(path, sizeof(path), CPU "cpu0/cpuidle/state%d/latency", i);
        if (!disabled && doctor_number(doctor, path, &latency) && latency > longest)
            longest = latency;
    }
    bool known = doctor_line(doctor, CPU "cpuidle/current_driver", "", driver);
    if (longest > 20)
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_NOTE, "idle",
                                   "a CPU that sleeps deeply is woken late: a request answered "
                                   "after a pause costs that more than one in a stream",
                                   "cpupower idle-set -D 10, or the kernel's "
                                   "processor.max_cstate=1; or keep CPUs busy at low priority"},
            "%s, the deepest state needs %" PRId64 " us to leave", known ? driver : "?", longest);
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_OK, "idle",
                                   longest >= 0 ? "leaving sleep takes no longer than a switch"
                                                : "nothing tells; see `wake-up` for what it costs",
                                   NULL},
            longest >= 0 ? "%s, the deepest state needs %" PRId64 " us to leave" : "not readable",
            known ? driver : "?", longest);
}

static void smt(struct doctor *doctor)
{
    int64_t active;
    bool known = doctor_number(doctor, CPU "smt/active", &active);

    if (known && active == 1)
        doctor_say(doctor,
                   &(struct doctor_words){
                       DOCTOR_NOTE, "smt",
                       "two of the CPUs are one core: processes placed on both have "
                       "some 60 % of it each, and short wake-ups",
                       "place by `cpu` in the scenario, on CPUs of different "
                       "topology/thread_siblings_list; or echo off > " CPU "smt/control"},
                   "on");
    else
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_OK, "smt",
                                   known ? "each CPU is a core"
                                         : "nothing tells; a virtual machine's CPUs may be threads",
                                   NULL},
            known ? "off" : "not readable");
}

static void hypervisor(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];
    bool virtual = doctor_line(doctor, "/proc/cpuinfo", "flags", line) &&
                   strstr(line, " hypervisor") != NULL;

    if (virtual)
        doctor_say(
            doctor,
            &(struct doctor_words){DOCTOR_NOTE, "machine",
                                   "waking a CPU that idles goes through the host: tens of us "
                                   "instead of a few, and the host moves the CPUs about",
                                   "believe what one CPU shows (`cpu` of the scenario's hosts, or "
                                   "taskset), and report the rest with `wake-up` beside it"},
            "virtual");
    else
        doctor_say(doctor,
                   &(struct doctor_words){DOCTOR_OK, "machine", "no host below this kernel", NULL},
                   "not virtual, as far as the CPU says");
}

/* ---- the load ---- */

static void load(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES], *end;
    long milli;

    if (!doctor_line(doctor, "/proc/loadavg", "", line))
        return;
    milli = strtol(line, &end, 10) * 1000;
    if (*end == '.')
        milli += strtol(end + 1, NULL, 10) * 10; /* two digits, always */
    bool busy = milli > (long)doctor->cpus * 500;
    doctor_say(
        doctor,
        &(struct doctor_words){
            busy ? DOCTOR_UNRELIABLE : DOCTOR_OK, "load",
            busy ? "others want the CPUs: the run waits for them, most of all at its tail, and "
                   "`preempted` in its table counts how often"
                 : "little else ran in the last minute",
            busy ? "end what else runs, or measure in turns and many times (repeat, compare)"
                 : NULL},
        "%ld.%02ld in the last minute, %u CPUs", milli / 1000, milli % 1000 / 10, doctor->cpus);
}

/* Since the machine started; what it steals now shows in `noise`. */
static void steal(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];
    uint64_t all = 0, part[8] = {0};

    if (!doctor_line(doctor, "/proc/stat", "cpu ", line))
        return;
    char *at = line;
    for (int i = 0; i < 8; i++)
        all += part[i] = strtoull(at, &at, 10);
    uint64_t ppm = all ? part[7] * 1000000 / all : 0;
    bool much = ppm > 10000;
    doctor_say(
        doctor,
        &(struct doctor_words){
            much ? DOCTOR_UNRELIABLE : DOCTOR_OK, "steal",
            much ? "the hypervisor gives these CPUs to others: time that passes in no process, and "
                   "is in every latency"
                 : "the hypervisor takes no time that matters",
            much ? "another machine, or another hour; mode 'virtual' does not depend on it" : NULL},
        "%" PRIu64 ".%02u %% since the start", ppm / 10000, (unsigned)(ppm % 10000 / 100));
}

/* ---- clocks and memory ---- */

static void clock_source(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];

    if (!doctor_line(doctor, "/sys/devices/system/clocksource/clocksource0/current_clocksource", "",
                     line))
        return;
    bool fast = strcmp(line, "tsc") == 0 || strcmp(line, "kvm-clock") == 0 ||
                strcmp(line, "arch_sys_counter") == 0 || strncmp(line, "hyperv", 6) == 0 ||
                strcmp(line, "timebase") == 0;
    doctor_say(
        doctor,
        &(struct doctor_words){
            fast ? DOCTOR_OK : DOCTOR_UNRELIABLE, "clock-source",
            fast ? "read without a system call"
                 : "each look at the clock is a system call of some hundred ns to us, and a loop "
                   "looks several times a turn",
            fast ? NULL : "the kernel's clocksource=tsc, where the CPUs' counters agree"},
        "%s", line);
}

static void timer_slack(struct doctor *doctor)
{
#ifdef __linux__
    int slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    bool usual = slack_ns <= 50000;

    doctor_say(
        doctor,
        &(struct doctor_words){
            usual ? DOCTOR_OK : DOCTOR_NOTE, "timer-slack",
            usual
                ? "arrivals of an open loop may come that much late, which their latency has in it"
                : "arrivals of an open loop come that much late, which their latency has in it",
            usual ? NULL : "start from a shell with the usual 50 us"},
        "%d.%d us", slack_ns / 1000, slack_ns % 1000 / 100);
#else
    (void)doctor;
#endif
}

static void huge_pages(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];

    if (!doctor_line(doctor, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "", line))
        return;
    bool shared =
        strstr(line, "[always]") || strstr(line, "[force]") || strstr(line, "[within_size]");
    doctor_say(
        doctor,
        &(struct doctor_words){
            shared ? DOCTOR_NOTE : DOCTOR_OK, "huge-pages",
            shared ? "rings of 2 MiB and more lie in huge pages: first use costs more, copies less"
                   : "rings are made of small pages, as grants are",
            shared ? "echo never > /sys/kernel/mm/transparent_hugepage/shmem_enabled" : NULL},
        "of shared memory: %s", line);
}

static void memory(struct doctor *doctor)
{
    char line[DOCTOR_LINE_BYTES];

    if (!doctor_line(doctor, "/proc/meminfo", "MemAvailable:", line))
        return;
    uint64_t mib = strtoull(line, NULL, 10) / 1024;
    bool little = mib < 512;
    doctor_say(
        doctor,
        &(struct doctor_words){little ? DOCTOR_UNRELIABLE : DOCTOR_OK, "memory",
                               little ? "pages are taken from others, or swapped, while it runs"
                                      : "a guest needs some 5 MiB, a connection 256 KiB at order 6",
                               little ? "end what uses it" : NULL},
        "%" PRIu64 " MiB available", mib);
}

void doctor_machine(struct doctor *doctor)
{
    cpus(doctor);
    quota(doctor);
    governor(doctor);
    turbo(doctor);
    idle(doctor);
    smt(doctor);
    hypervisor(doctor);
    load(doctor);
    steal(doctor);
    clock_source(doctor);
    timer_slack(doctor);
    huge_pages(doctor);
    memory(doctor);
}
