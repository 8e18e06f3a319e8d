/* Which programs are installed, and what this build has in it. See doctor.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/doctor.h"

#include "tools/profile.h"
#include "tools/search_path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

/* A program, the Debian package that has it, and what needs it. */
static const struct {
    const char *name, *package, *means;
} programs[] = {
    {"google-pprof", "google-perftools", "tables and flame graphs of run --profile"},
    {"perf", "linux-perf", "run --perf"},
    {"gdb", "gdb", "a part of a run, stopped and looked at"},
    {"valgrind", "valgrind", "instruction counts of a part (callgrind), its memory (memcheck)"},
    {"bpftrace", "bpftrace", "the static probes, counted and timed while a run goes on"},
    {"tshark", "tshark", "captures in Wireshark's own words; xensock decode needs nothing"},
    {"scdoc", "scdoc", "the manual pages, when they are built"},
    {"npm", "npm", "tools/report/fetch: what draws the charts of reports"},
    {"node", "nodejs", "tests that look at reports in a browser"},
    {"chromium", "chromium", "the same"},
};

static void program(struct doctor *doctor, size_t i)
{
    char path[512], todo[128];
    bool there = search_path(programs[i].name, path, sizeof(path));

    snprintf(todo, sizeof(todo), "install it (Debian: %s)", programs[i].package);
    doctor_say(doctor,
               &(struct doctor_words){there ? DOCTOR_OK : DOCTOR_MISSING, programs[i].name,
                                      programs[i].means, there ? NULL : todo},
               "%s", there ? path : "not installed");
}

static void built_in(struct doctor *doctor)
{
    struct profile_why why;
    bool profiler = profile_possible(PROFILE_CPU, &why);
#ifdef XENSOCK_SDT
    bool probes = true;
#else
    bool probes = false;
#endif

    doctor_say(
        doctor,
        &(struct doctor_words){profiler ? DOCTOR_OK : DOCTOR_MISSING, "gperftools", "run --profile",
                               profiler ? NULL : "build with it (Debian: libgoogle-perftools-dev)"},
        profiler ? "built in" : "not built in");
    doctor_say(doctor,
               &(struct doctor_words){probes ? DOCTOR_OK : DOCTOR_MISSING, "probes",
                                      "static probes of the executor, for perf, bpftrace and gdb",
                                      probes ? NULL : "build with it (Debian: systemtap-sdt-dev)"},
               probes ? "built in" : "not built in");
}

/* Where `xensock report` looks: beside the command, or where it is installed. */
static void charts(struct doctor *doctor)
{
    static const char *const places[] = {"report", "../share/xensock/report"};
    char self[512], path[640] = "";
    size_t bytes = sizeof(self);
    bool there = false;

    if (uv_exepath(self, &bytes) < 0)
        return;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && !there; i++) {
        snprintf(path, sizeof(path), "%.*s/%s/uplot.js", (int)(strrchr(self, '/') - self), self,
                 places[i]);
        there = access(path, R_OK) == 0;
    }
    doctor_say(doctor,
               &(struct doctor_words){there ? DOCTOR_OK : DOCTOR_MISSING, "charts",
                                      "what draws the charts of xensock report (uPlot); its tables "
                                      "need nothing",
                                      there ? NULL : "tools/report/fetch, which gets it from npm"},
               "%s", there ? path : "not there");
}

void doctor_programs(struct doctor *doctor)
{
    built_in(doctor);
    charts(doctor);
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
        program(doctor, i);
}
