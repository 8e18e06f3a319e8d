/*
 * What both sides of every model stand on: memory that both map, and an event channel each.
 *
 * A model names the words of that memory (mtype, so that a trail can print them), then includes
 * this. Without TSO a store is visible at once. With -DTSO each side has a store buffer, first in
 * first out, which `store_buffers` empties at any pace; a side sees its own stores at once, and a
 * full fence waits until its buffer is empty. That is x86; release and acquire add nothing to it.
 * Orders weaker than TSO are not modelled. DEPTH: entries of a buffer; a store waits for room.
 *
 * An event channel is a word too: 1 is pending, so notifications coalesce. Notifying is ordered
 * behind the stores before it and is no fence: the least that the hypervisor seam must give.
 * A core takes events only where it waits, so between there and port_unmask it is masked.
 * Source: reliability 3; protocol.md 0.1 (event channels); architecture 3.
 */
#ifndef SIDES
#define SIDES 2
#endif

byte mem[WORDS];

#ifdef TSO
chan buffer[SIDES] = [DEPTH] of { byte, byte };
byte sb_at, sb_value, sb_left; /* 0 between steps */
#endif

inline shared_store(me, at, value) /* = ringlib/shared.h */
{
#ifdef TSO
    buffer[me]!at, value;
#else
    mem[at] = value;
#endif
}

inline shared_load(me, at, into) /* = ringlib/shared.h */
{
    d_step {
        into = mem[at];
#ifdef TSO
        sb_left = len(buffer[me]);
        do /* turn the whole buffer round once: the newest of our own stores is met last */
        :: sb_left > 0 ->
            buffer[me]?sb_at, sb_value;
            buffer[me]!sb_at, sb_value;
            if
            :: sb_at == at -> into = sb_value
            :: else
            fi;
            sb_left--
        :: else -> break
        od;
        sb_at = 0;
        sb_value = 0
#endif
    }
}

inline shared_fence(me) /* = ringlib/shared.h */
{
#ifdef TSO
    empty(buffer[me]);
#else
    skip;
#endif
}

inline notify(me, port)
{
#ifdef NOTIFY_OVERTAKES
    mem[port] = 1;
#else
    shared_store(me, port, 1);
#endif
}

#define port_pending(port) (mem[port] == 1)

inline port_take(port)
{
    mem[port] = 0;
}

inline port_unmask(port)
{
#ifdef LOST_WHILE_MASKED
    mem[port] = 0;
#else
    skip;
#endif
}

#ifdef TSO
#define BECOMES_VISIBLE(me) \
    mem[at] = value; printf(".   %d's %e = %d is visible\n", me, at, value); at = 0; value = 0

active proctype store_buffers()
{
    byte at, value;

end:
    do
#ifndef NO_STORES_0
    :: atomic { buffer[0]?at, value; BECOMES_VISIBLE(0) }
#endif
#ifndef NO_STORES_1
    :: atomic { buffer[1]?at, value; BECOMES_VISIBLE(1) }
#endif
    od
}
#endif
