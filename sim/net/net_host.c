/* The host's errno and socket addresses. See net_host.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "sim/net/net_host.h"

#include "ringlib/err.h"

#include <errno.h>
#include <string.h>

static const struct {
    int host;
    enum err wire;
} table[] = {
    {EPERM, ERR_PERM},
    {ENOENT, ERR_NOENT},
    {EINTR, ERR_INTR},
    {EIO, ERR_IO},
    {EBADF, ERR_BADF},
    {EAGAIN, ERR_AGAIN},
    {ENOMEM, ERR_NOMEM},
    {EACCES, ERR_ACCES},
    {EFAULT, ERR_FAULT},
    {EBUSY, ERR_BUSY},
    {EEXIST, ERR_EXIST},
    {ENODEV, ERR_NODEV},
    {EINVAL, ERR_INVAL},
    {ENFILE, ERR_NFILE},
    {EMFILE, ERR_MFILE},
    {ENOSPC, ERR_NOSPC},
    {EPIPE, ERR_PIPE},
    {ENOSYS, ERR_NOSYS},
    {ENOTSOCK, ERR_NOTSOCK},
    {EMSGSIZE, ERR_MSGSIZE},
    {ENOPROTOOPT, ERR_NOPROTOOPT},
    {EPROTONOSUPPORT, ERR_PROTONOSUPPORT},
    {EOPNOTSUPP, ERR_OPNOTSUPP},
    {EAFNOSUPPORT, ERR_AFNOSUPPORT},
    {EADDRINUSE, ERR_ADDRINUSE},
    {EADDRNOTAVAIL, ERR_ADDRNOTAVAIL},
    {ENETDOWN, ERR_NETDOWN},
    {ENETUNREACH, ERR_NETUNREACH},
    {ECONNABORTED, ERR_CONNABORTED},
    {ECONNRESET, ERR_CONNRESET},
    {ENOBUFS, ERR_NOBUFS},
    {EISCONN, ERR_ISCONN},
    {ENOTCONN, ERR_NOTCONN},
    {ETIMEDOUT, ERR_TIMEDOUT},
    {ECONNREFUSED, ERR_CONNREFUSED},
    {EHOSTDOWN, ERR_HOSTDOWN},
    {EHOSTUNREACH, ERR_HOSTUNREACH},
    {EALREADY, ERR_ALREADY},
    {EINPROGRESS, ERR_INPROGRESS},
    {ECANCELED, ERR_CANCELED},
};

int32_t net_host_error(int number)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].host == number)
            return (int32_t)table[i].wire;
    return number;
}

socklen_t net_host_addr(union net_host_addr *host, const struct call_addr *addr)
{
    memset(host, 0, sizeof(*host));
    if (call_addr_family(addr) == CALL_AF_INET) {
        host->in.sin_family = AF_INET;
        memcpy(&host->in.sin_port, addr->bytes + 2, 2);
        memcpy(&host->in.sin_addr, addr->bytes + 4, 4);
        return sizeof(host->in);
    }
    host->in6.sin6_family = AF_INET6;
    memcpy(&host->in6.sin6_port, addr->bytes + 2, 2);
    memcpy(&host->in6.sin6_flowinfo, addr->bytes + 4, 4);
    memcpy(&host->in6.sin6_addr, addr->bytes + 8, 16);
    return sizeof(host->in6);
}
