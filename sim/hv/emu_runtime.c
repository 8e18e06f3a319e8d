/*
 * The runtime directory. See emu_runtime.h.
 *
 * What is checked is what is used: the directory is opened without following a link and looked at
 * through that descriptor. The lock, not the number in the pid file, says who is alive.
 * Source: open(2), flock(2), unix(7).
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* flock, which every Unix has and POSIX has not */
#endif
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700
#endif
#include "sim/hv/emu_runtime.h"

#include "ringlib/err.h"
#include "sim/hv/emu_wire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PID_FILE "hypervisor.pid"

struct emu_runtime {
    char *path;
    bool created;
    int directory;
    int pid_file;
};

static bool is_ours(const struct stat *st)
{
    return S_ISDIR(st->st_mode) && st->st_uid == geteuid() && (st->st_mode & 077) == 0;
}

int emu_runtime_check(const char *path)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? -ERR_NOENT : -ERR_ACCES;
    return is_ours(&st) ? 0 : -ERR_ACCES;
}

static bool address_of(const char *path, const char *name, struct sockaddr_un *address)
{
    int length;

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    length = snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s.sock", path, name);
    return length > 0 && (size_t)length < sizeof(address->sun_path);
}

bool emu_runtime_address(const char *path, uint16_t domid, struct sockaddr_un *address)
{
    char name[sizeof("domain-65535")];

    snprintf(name, sizeof(name), "domain-%" PRIu16, domid);
    return address_of(path, name, address);
}

bool emu_runtime_address_store(const char *path, uint16_t domid, struct sockaddr_un *address)
{
    char name[sizeof("xenstore-65535")];

    snprintf(name, sizeof(name), "xenstore-%" PRIu16, domid);
    return address_of(path, domid == 0 ? "xenstore" : name, address);
}

static bool open_directory(struct emu_runtime *runtime, char *error, size_t error_bytes)
{
    struct stat st;

    runtime->created = mkdir(runtime->path, 0700) == 0;
    if (!runtime->created && errno != EEXIST) {
        snprintf(error, error_bytes, "cannot create runtime directory %s: %s", runtime->path,
                 strerror(errno));
        return false;
    }
    runtime->directory = open(runtime->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (runtime->directory < 0) {
        snprintf(error, error_bytes, "cannot use runtime directory %s: %s", runtime->path,
                 errno == ELOOP || errno == ENOTDIR ? "it is no directory" : strerror(errno));
        return false;
    }
    if (fstat(runtime->directory, &st) == 0 && is_ours(&st))
        return true;
    snprintf(error, error_bytes,
             "refusing runtime directory %s: it must belong to this user and be closed to others "
             "(mode 0700)",
             runtime->path);
    return false;
}

static void read_pid(const struct emu_runtime *runtime, char *text, size_t text_bytes)
{
    ssize_t got = pread(runtime->pid_file, text, text_bytes - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
}

static bool lock_directory(struct emu_runtime *runtime, char *error, size_t error_bytes)
{
    char pid[24];
    struct stat st;

    runtime->pid_file =
        openat(runtime->directory, PID_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (runtime->pid_file < 0) {
        snprintf(error, error_bytes, "cannot create %s/" PID_FILE ": %s", runtime->path,
                 strerror(errno));
        return false;
    }
    /* No link left: another hypervisor is just giving the directory up. */
    if (flock(runtime->pid_file, LOCK_EX | LOCK_NB) < 0 || fstat(runtime->pid_file, &st) < 0 ||
        st.st_nlink == 0) {
        read_pid(runtime, pid, sizeof(pid));
        snprintf(error, error_bytes, "runtime directory %s is in use by process %s", runtime->path,
                 pid);
        return false;
    }
    snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(runtime->pid_file, 0) == 0 &&
        pwrite(runtime->pid_file, pid, strlen(pid), 0) == (ssize_t)strlen(pid))
        return true;
    snprintf(error, error_bytes, "cannot write %s/" PID_FILE ": %s", runtime->path,
             strerror(errno));
    unlinkat(runtime->directory, PID_FILE, 0);
    return false;
}

static void runtime_free(struct emu_runtime *runtime)
{
    if (runtime->created)
        rmdir(runtime->path); /* stays if somebody put something in it */
    if (runtime->pid_file >= 0)
        close(runtime->pid_file);
    if (runtime->directory >= 0)
        close(runtime->directory);
    free(runtime->path);
    free(runtime);
}

/* Sockets of one that was killed: nobody serves them any more. */
static void remove_leftovers(const struct emu_runtime *runtime)
{
    DIR *directory = opendir(runtime->path);

    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        const char *name = entry->d_name, *dot = strrchr(name, '.');
        bool ours = strncmp(name, "domain-", 7) == 0 || strncmp(name, "xenstore", 8) == 0;
        if (ours && dot && strcmp(dot, ".sock") == 0)
            unlinkat(runtime->directory, name, 0);
    }
    if (directory)
        closedir(directory);
}

struct emu_runtime *emu_runtime_take(const char *path, char *error, size_t error_bytes)
{
    struct emu_runtime *runtime = calloc(1, sizeof(*runtime));
    char *copy = strdup(path);

    if (!runtime || !copy)
        abort();
    *runtime = (struct emu_runtime){.path = copy, .directory = -1, .pid_file = -1};
    if (open_directory(runtime, error, error_bytes) &&
        lock_directory(runtime, error, error_bytes)) {
        remove_leftovers(runtime);
        return runtime;
    }
    runtime_free(runtime);
    return NULL;
}

void emu_runtime_release(struct emu_runtime *runtime)
{
    unlinkat(runtime->directory, PID_FILE, 0);
    runtime_free(runtime);
}

static bool bind_socket(int fd, const struct sockaddr_un *address)
{
    /* Nobody can connect before listen, so the mode is right in time. */
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 &&
           chmod(address->sun_path, 0600) == 0 && listen(fd, 4) == 0;
}

static int listen_at(int fd, const struct sockaddr_un *address, char *error, size_t error_bytes)
{
    if (fd >= 0) {
        unlink(address->sun_path);
        if (bind_socket(fd, address))
            return fd;
    }
    snprintf(error, error_bytes, "cannot listen on %s: %s", address->sun_path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -ERR_IO;
}

static int refuse_long(const struct emu_runtime *runtime, char *error, size_t error_bytes)
{
    snprintf(error, error_bytes, "runtime directory %s: path too long for a socket", runtime->path);
    return -ERR_INVAL;
}

int emu_runtime_listen(struct emu_runtime *runtime, uint16_t domid, char *error, size_t error_bytes)
{
    struct sockaddr_un address;

    if (!emu_runtime_address(runtime->path, domid, &address))
        return refuse_long(runtime, error, error_bytes);
    return listen_at(emu_wire_socket(), &address, error, error_bytes);
}

int emu_runtime_listen_store(struct emu_runtime *runtime, uint16_t domid, char *error,
                             size_t error_bytes)
{
    struct sockaddr_un address;

    if (!emu_runtime_address_store(runtime->path, domid, &address))
        return refuse_long(runtime, error, error_bytes);
    return listen_at(emu_wire_stream(), &address, error, error_bytes);
}

void emu_runtime_unlink(struct emu_runtime *runtime, uint16_t domid)
{
    struct sockaddr_un address;

    if (emu_runtime_address(runtime->path, domid, &address))
        unlink(address.sun_path);
}

void emu_runtime_unlink_store(struct emu_runtime *runtime, uint16_t domid)
{
    struct sockaddr_un address;

    if (emu_runtime_address_store(runtime->path, domid, &address))
        unlink(address.sun_path);
}
