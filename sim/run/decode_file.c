/* A capture's file, packet by packet. See decode_file.h. */
#include "sim/run/decode_file.h"

#include <errno.h>
#include <string.h>

bool decode_file_each(FILE *in, void (*see)(void *self, const struct decode_packet *packet),
                      void *self, struct pcapng_fault *fault)
{
    struct pcapng_reader *file = pcapng_read_open(in);
    struct pcapng_read_packet from;
    struct decode_packet packet;
    bool good = true;
    int got;

    while (good && (got = pcapng_read_next(file, &from, fault)) != 0) {
        if (got > 0 && pcapng_read_interface(file, from.interface)->link_type != CAPTURE_LINKTYPE)
            continue;
        good = got > 0 && decode_take(&from, &packet, fault);
        if (good)
            see(self, &packet);
    }
    pcapng_read_close(file);
    return good;
}

bool decode_file_each_of(const char *path,
                         void (*see)(void *self, const struct decode_packet *packet), void *self,
                         struct pcapng_fault *fault)
{
    FILE *in = fopen(path, "re");

    if (!in)
        return pcapng_fault(fault, 0, "cannot be read: %s", strerror(errno));
    bool good = decode_file_each(in, see, self, fault);
    fclose(in);
    return good;
}
