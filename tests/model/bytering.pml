/*
 * A data ring between two honest sides, each index change notified unconditionally (draft 1).
 *
 * Without OUT: the backend produces what its socket gives, then perhaps the end of the stream; the
 * guest's application receives until there is nothing, arms and sleeps. With -DOUT: the application
 * sends, sleeps for room, and at last releases the socket once the ring is drained; the backend
 * writes to its socket, which may fail. With -DINTERRUPT (and not OUT) the guest's event handler
 * runs beside the application instead of between its calls, as in a kernel.
 *
 * Shows, for streams of any length over indexes that wrap: bytes arrive as they were written; the
 * end of the stream is reported after the last byte; at rest nobody waits for what has come.
 *
 * Does not model: both directions at once (they share a port, which only adds spurious events), a
 * lying peer (hostile.pml), suppressed notifications (eventidx.pml).
 * Defects to plant: see `variants`. Source: ringlib/bytering.c, frontend/fe_data.c,
 * backend/be_data.c; protocol.md 1.5; reliability 0.1.
 */
#ifndef SIZE
#define SIZE 2 /* bytes */
#endif
#define INDEXES (2 * SIZE) /* stands for 2^32 */
#define INDEX(number) ((number) & (INDEXES - 1))

#define FRONT 0
#define BACK 1
#define HANDLER 2 /* of the guest, where it runs beside the application */

mtype = { byte3, byte2, byte1, byte0, armed, back_port, front_port, error, cons, prod };
#define WORDS (byte0 + SIZE)
#define BYTE(index) (byte0 + ((index) & (SIZE - 1)))
#define VALUE(index) (1 + INDEX(index)) /* so that a stale byte shows */
#define DEPTH (SIZE + 4)
#include "machine.pml"

/* ---- ringlib -------------------------------------------------------------------------------- */

inline bytering_room(me, room) /* = ringlib/bytering.c */
{
    shared_load(me, cons, word);
    printf("%d reads cons = %d, having produced %d\n", me, word, index);
    assert(INDEX(index - word) <= SIZE);
    room = SIZE - INDEX(index - word);
    word = 0
}

inline bytering_produced(me, bytes) /* = ringlib/bytering.c */
{
    shared_store(me, prod, INDEX(index + bytes));
    index = INDEX(index + bytes);
    printf("%d publishes prod = %d\n", me, index)
}

/* The bytes themselves: by bytering_put of the guest, by the socket's read into the free spans. */
inline fill(me, bytes)
{
    do
    :: atomic {
        shared_store(me, BYTE(index + done), VALUE(index + done));
        printf("%d writes %e\n", me, BYTE(index + done));
        done++;
        if
        :: done == bytes -> done = 0; break
        :: else
        fi }
    od
}

inline bytering_put(me, bytes) /* = ringlib/bytering.c */
{
#ifdef PUBLISHED_EARLY
    atomic { bytering_produced(me, bytes); index = INDEX(index - bytes) };
    fill(me, bytes);
    index = INDEX(index + bytes)
#else
    fill(me, bytes);
    atomic { bytering_produced(me, bytes) }
#endif
}

inline bytering_queued(me, queued) /* = ringlib/bytering.c */
{
    shared_load(me, prod, word);
    printf("%d reads prod = %d, having consumed %d\n", me, word, index);
    assert(INDEX(word - index) <= SIZE);
    queued = INDEX(word - index);
    word = 0
}

inline bytering_consumed(me, bytes) /* = ringlib/bytering.c */
{
    shared_store(me, cons, INDEX(index + bytes));
    index = INDEX(index + bytes);
    printf("%d publishes cons = %d\n", me, index)
}

/* The bytes themselves: by bytering_take of the guest, by the socket's write from the spans. */
inline drain(me, bytes)
{
    do
    :: atomic {
        shared_load(me, BYTE(index + done), word);
        printf("%d reads %e\n", me, BYTE(index + done));
        assert(word == VALUE(index + done));
        word = 0;
        done++;
        if
        :: done == bytes -> done = 0; break
        :: else
        fi }
    od
}

inline bytering_take(me, bytes) /* = ringlib/bytering.c */
{
#ifdef GIVEN_BACK_EARLY
    atomic { bytering_consumed(me, bytes); index = INDEX(index - bytes) };
    drain(me, bytes);
    index = INDEX(index + bytes)
#else
    drain(me, bytes);
    atomic { bytering_consumed(me, bytes) }
#endif
}

inline bytering_error(me, into) /* = ringlib/bytering.c */
{
    shared_load(me, error, into);
    printf("%d reads error = %d\n", me, into)
}

inline bytering_fail(me) /* = ringlib/bytering.c */
{
    shared_store(me, error, 1);
    printf("%d publishes the error\n", me)
}

inline tell(me, port)
{
    atomic { notify(me, port); printf("%d notifies\n", me) }
}

/* Any number of bytes that there is something or room for. */
inline some(bytes, most)
{
    bytes = 1;
    do
    :: bytes < most -> bytes++
    :: break
    od
}

#ifdef OUT

/* ---- out: the guest produces ---------------------------------------------------------------- */

inline writable_bytes() /* = frontend/fe_data.c */
{
    atomic { bytering_error(FRONT, ended) };
    atomic { bytering_room(FRONT, bytes) }
}

inline wake_application() /* = frontend/fe_data.c */
{
    if
    :: arm ->
        writable_bytes();
        if
        :: bytes >= SIZE / 2 || ended -> atomic { arm = false; printf("0 is writable\n") }
        :: else
        fi;
        bytes = 0
    :: else
    fi
}

inline fe_data_drained() /* = frontend/fe_data.c */
{
    writable_bytes();
    released = ended || bytes == SIZE;
    bytes = 0
}

inline fe_data_port() /* = frontend/fe_data.c */
{
    wake_application();
    if
    :: quiet && !released -> fe_data_drained()
    :: else
    fi
}

/* The application wants to send one or two bytes. */
inline fe_send() /* = frontend/fe_data.c */
{
    atomic { if :: wanted = 1 :: wanted = 2 fi };
    writable_bytes();
    if
    :: bytes > wanted -> bytes = wanted
    :: else
    fi;
    if
    :: !ended && bytes > 0 ->
        bytering_put(FRONT, bytes);
        tell(FRONT, back_port)
    :: else
    fi;
    if
    :: !ended && bytes < wanted ->
        arm = true;
#ifndef NO_LOOK
        shared_fence(FRONT);
        wake_application()
#endif
    :: else
    fi;
    atomic { bytes = 0; wanted = 0 }
}

active proctype front()
{
    byte index, bytes, done, wanted, word;
    bool arm, ended, quiet, released;

end:
    do
    :: atomic { port_pending(front_port) -> port_take(front_port); printf("0 wakes\n") };
        fe_data_port();
        port_unmask(front_port)
    :: !arm && !quiet && !ended -> fe_send()
    :: atomic { !arm && !quiet -> quiet = true; printf("0 sends no more\n") };
        fe_data_drained()
    :: timeout -> /* at rest: nobody can move any more */
        assert(quiet && released && (ended || mem[cons] == index));
        break
    od
}

inline pump_out() /* = backend/be_data.c */
{
    if
    :: posted == 0 && !ended -> atomic { bytering_queued(BACK, posted) }
    :: else
    fi
}

inline be_data_port() /* = backend/be_data.c */
{
    pump_out()
}

/* The socket took some of what was posted; `fails`: it took nothing and never will. */
inline wrote(fails) /* = backend/be_data.c */
{
    if
    :: fails -> ended = true; atomic { bytering_fail(BACK) }
    :: else ->
        atomic { some(bytes, posted) };
        bytering_take(BACK, bytes)
    fi;
    atomic { posted = 0; bytes = 0 };
    tell(BACK, front_port);
#ifndef NO_PUMP
    pump_out()
#endif
}

active proctype back()
{
    byte index, bytes, posted, done, word;
    bool ended, fails;

end:
    do
    :: atomic { port_pending(back_port) -> port_take(back_port); printf("1 wakes\n") };
        be_data_port();
        port_unmask(back_port)
    :: atomic { posted > 0 -> if :: fails = true :: fails = false fi };
        wrote(fails)
    od
}

#else

/* ---- in: the backend produces --------------------------------------------------------------- */

inline readable_bytes(me) /* = frontend/fe_data.c */
{
#ifdef PROD_FIRST
    atomic { bytering_queued(me, bytes) };
    atomic { bytering_error(me, ended) }
#else
    atomic { bytering_error(me, ended) };
    atomic { bytering_queued(me, bytes) }
#endif
}

active proctype back()
{
    skip
}
#endif
