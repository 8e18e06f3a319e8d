/*
 * The wire's error numbers: one table, the same on every host.
 *
 * A reply carries 0 or a negative number of this list. Host errno and libuv's codes are translated
 * once per seam; a number the list does not have passes through unnamed (protocol.md 7, 10).
 * Source: PV Calls 1, "Error numbers"; the connect errors it forgot are Linux's (3.2, defect 6).
 */
#ifndef XENSOCK_RINGLIB_ERR_H
#define XENSOCK_RINGLIB_ERR_H

#include <stdint.h>

#define ERR_LIST(X)                                                                                \
    X(PERM, 1)                                                                                     \
    X(NOENT, 2)                                                                                    \
    X(SRCH, 3)                                                                                     \
    X(INTR, 4)                                                                                     \
    X(IO, 5)                                                                                       \
    X(NXIO, 6)                                                                                     \
    X(2BIG, 7)                                                                                     \
    X(NOEXEC, 8)                                                                                   \
    X(BADF, 9)                                                                                     \
    X(CHILD, 10)                                                                                   \
    X(AGAIN, 11)                                                                                   \
    X(NOMEM, 12)                                                                                   \
    X(ACCES, 13)                                                                                   \
    X(FAULT, 14)                                                                                   \
    X(BUSY, 16)                                                                                    \
    X(EXIST, 17)                                                                                   \
    X(XDEV, 18)                                                                                    \
    X(NODEV, 19)                                                                                   \
    X(ISDIR, 21)                                                                                   \
    X(INVAL, 22)                                                                                   \
    X(NFILE, 23)                                                                                   \
    X(MFILE, 24)                                                                                   \
    X(NOSPC, 28)                                                                                   \
    X(ROFS, 30)                                                                                    \
    X(MLINK, 31)                                                                                   \
    X(PIPE, 32)                                                                                    \
    X(DOM, 33)                                                                                     \
    X(RANGE, 34)                                                                                   \
    X(DEADLK, 35)                                                                                  \
    X(NAMETOOLONG, 36)                                                                             \
    X(NOLCK, 37)                                                                                   \
    X(NOSYS, 38)                                                                                   \
    X(NOTEMPTY, 39)                                                                                \
    X(NODATA, 61)                                                                                  \
    X(TIME, 62)                                                                                    \
    X(BADMSG, 74)                                                                                  \
    X(OVERFLOW, 75)                                                                                \
    X(ILSEQ, 84)                                                                                   \
    X(RESTART, 85)                                                                                 \
    X(NOTSOCK, 88)                                                                                 \
    X(MSGSIZE, 90)                                                                                 \
    X(NOPROTOOPT, 92)                                                                              \
    X(PROTONOSUPPORT, 93)                                                                          \
    X(OPNOTSUPP, 95)                                                                               \
    X(AFNOSUPPORT, 97)                                                                             \
    X(ADDRINUSE, 98)                                                                               \
    X(ADDRNOTAVAIL, 99)                                                                            \
    X(NETDOWN, 100)                                                                                \
    X(NETUNREACH, 101)                                                                             \
    X(CONNABORTED, 103)                                                                            \
    X(CONNRESET, 104)                                                                              \
    X(NOBUFS, 105)                                                                                 \
    X(ISCONN, 106)                                                                                 \
    X(NOTCONN, 107)                                                                                \
    X(TIMEDOUT, 110)                                                                               \
    X(CONNREFUSED, 111)                                                                            \
    X(HOSTDOWN, 112)                                                                               \
    X(HOSTUNREACH, 113)                                                                            \
    X(ALREADY, 114)                                                                                \
    X(INPROGRESS, 115)                                                                             \
    X(CANCELED, 125)                                                                               \
    X(NOTSUP, 524)

enum err {
#define X(name, number) ERR_##name = (number),
    ERR_LIST(X)
#undef X
        ERR_MAX = 4095 /* the largest number a ret may carry, as in Linux's MAX_ERRNO */
};

/* The name ("ECONNREFUSED") of a number of either sign; "E?" for one outside the list. */
const char *err_name(int32_t number);

#endif
