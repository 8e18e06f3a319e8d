/* ssh's grammar of forwardings. See forward_spec.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/forward_spec.h"

#include "tools/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { FIELDS = 4, FIELD_BYTES = 256 };

/* Cut at colons outside brackets, which are taken off; 0: too many fields, or one too long. */
static int split(const char *text, char fields[FIELDS][FIELD_BYTES])
{
    int count = 0;

    for (const char *at = text;; at++) {
        bool bracket = *at == '[';
        const char *stop = bracket ? strchr(at, ']') : strchrnul(at, ':');
        size_t bytes = stop ? (size_t)(stop - at - bracket) : 0;

        if (!stop || count == FIELDS || bytes >= FIELD_BYTES)
            return 0;
        memcpy(fields[count], at + bracket, bytes);
        fields[count++][bytes] = '\0';
        at = stop + bracket;
        if (*at == '\0')
            return count;
        if (*at != ':')
            return 0;
    }
}

static const char form[] =
    "[listen-host:]port:host:port, such as 8080:127.0.0.1:80 or [::1]:8080:[::1]:80";
static const char door_form[] = "[listen-host:]port, such as 1080 or [::1]:1080";

static bool complain(const char *option, const char *text, const char *what, const char *expected)
{
    fprintf(stderr, "xensock: error: '%s' of %s: %s\n  expected %s\n", text, option, what,
            expected);
    return false;
}

static const char *listen_host(const char *given)
{
    bool all = given && (given[0] == '\0' || strcmp(given, "*") == 0);

    return all ? "0.0.0.0" : given ? given : "127.0.0.1";
}

static bool read_port(const char *text, uint16_t *port)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    *port = (uint16_t)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number >= 1 && number <= 65535;
}

/* The first address of a name; IPv4 before IPv6, as the protocol does. */
static const char *resolve(const char *host, uint16_t port, struct call_addr *addr)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all, *best;
    int ret = getaddrinfo(host, NULL, &hints, &all);

    if (ret != 0)
        return gai_strerror(ret);
    best = all;
    while (best->ai_family != AF_INET && best->ai_next)
        best = best->ai_next;
    resolve_addr(addr, (best->ai_family == AF_INET ? best : all)->ai_addr, port);
    freeaddrinfo(all);
    return NULL;
}

static void put_text(char text[FORWARD_SPEC_TEXT], const char *host, uint16_t port)
{
    bool v6 = strchr(host, ':') != NULL;

    snprintf(text, FORWARD_SPEC_TEXT, "%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

bool forward_spec_read_door(struct forward_spec *spec, const char *option, const char *text)
{
    char fields[FIELDS][FIELD_BYTES];
    int count = split(text, fields);
    uint16_t port;
    const char *why;

    if (count < 1 || count > 2)
        return complain(option, text, "it has not the form", door_form);
    if (!read_port(fields[count - 1], &port))
        return complain(option, text, "a port is 1 to 65535", door_form);
    why = resolve(listen_host(count == 2 ? fields[0] : NULL), port, &spec->rule.listen);
    if (why)
        return complain(option, text, why, door_form);
    spec->rule.kind = FORWARD_SOCKS;
    put_text(spec->listen, listen_host(count == 2 ? fields[0] : NULL), port);
    snprintf(spec->target, sizeof(spec->target), "where each SOCKS program says");
    return true;
}

bool forward_spec_read(struct forward_spec *spec, const char *option, const char *text)
{
    char fields[FIELDS][FIELD_BYTES];
    int count = split(text, fields);
    const char *at = listen_host(count == FIELDS ? fields[0] : NULL);
    int first = count == FIELDS ? 1 : 0; /* the port to listen on */
    uint16_t listen_port, target_port;
    const char *why;

    if (count < FIELDS - 1)
        return complain(option, text, "it has not the form", form);
    if (!read_port(fields[first], &listen_port) || !read_port(fields[first + 2], &target_port))
        return complain(option, text, "a port is 1 to 65535", form);
    if (fields[first + 1][0] == '\0')
        return complain(option, text, "it names no host to forward to", form);
    why = resolve(at, listen_port, &spec->rule.listen);
    why = why ? why : resolve(fields[first + 1], target_port, &spec->rule.target);
    if (why)
        return complain(option, text, why, form);
    put_text(spec->listen, at, listen_port);
    put_text(spec->target, fields[first + 1], target_port);
    return true;
}
