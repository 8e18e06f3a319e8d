/* Names into addresses. See resolve.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/resolve.h"

#include "ringlib/err.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

struct question {
    uv_getaddrinfo_t request;
    struct resolve resolve;
    uint64_t id;
    uint16_t port;
};

bool resolve_addr(struct call_addr *addr, const struct sockaddr *host, uint16_t port)
{
    if (host->sa_family == AF_INET)
        call_addr4(addr,
                   (const uint8_t *)&((const struct sockaddr_in *)(const void *)host)->sin_addr,
                   port);
    else if (host->sa_family == AF_INET6)
        call_addr6(addr,
                   (const uint8_t *)&((const struct sockaddr_in6 *)(const void *)host)->sin6_addr,
                   port);
    return host->sa_family == AF_INET || host->sa_family == AF_INET6;
}

/* The first of a family that is allowed. */
static bool choose(const struct question *question, const struct addrinfo *all, int family,
                   struct call_addr *addr)
{
    for (; all; all = all->ai_next)
        if (all->ai_family == family && resolve_addr(addr, all->ai_addr, question->port) &&
            (!question->resolve.policy || policy_allows(question->resolve.policy, addr)))
            return true;
    return false;
}

static void on_answer(uv_getaddrinfo_t *request, int status, struct addrinfo *all)
{
    struct question *question = request->data;
    const struct resolve *resolve = &question->resolve;
    struct call_addr addr;

    if (status < 0)
        resolve->done(resolve->self, question->id, -ERR_NOENT, NULL);
    else if (choose(question, all, AF_INET, &addr) || choose(question, all, AF_INET6, &addr))
        resolve->done(resolve->self, question->id, 0, &addr);
    else
        resolve->done(resolve->self, question->id, -ERR_ACCES, NULL);
    uv_freeaddrinfo(all);
    free(question);
}

void resolve_name(uv_loop_t *loop, const struct resolve *resolve, uint64_t id, const char *name,
                  uint16_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct question *question = malloc(sizeof(*question));

    if (!question)
        abort();
    *question = (struct question){.resolve = *resolve, .id = id, .port = port};
    question->request.data = question;
    int ret = uv_getaddrinfo(loop, &question->request, on_answer, name, NULL, &hints);
    if (ret < 0) {
        resolve->done(resolve->self, id, -ERR_NOENT, NULL);
        free(question);
    }
}

void resolve_text(char text[RESOLVE_TEXT_BYTES], const struct call_addr *addr)
{
    bool v6 = call_addr_family(addr) == CALL_AF_INET6;
    char ip[INET6_ADDRSTRLEN] = "";

    uv_inet_ntop(v6 ? AF_INET6 : AF_INET, addr->bytes + (v6 ? 8 : 4), ip, sizeof(ip));
    snprintf(text, RESOLVE_TEXT_BYTES, "%s%s%s:%u", v6 ? "[" : "", ip, v6 ? "]" : "",
             call_addr_port(addr));
}
