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

#define FRONT 0
#define BACK 1
#define HANDLER 2 /* of the guest, where it runs beside the application */

mtype = { byte3, byte2, byte1, byte0, armed, back_port, front_port, error, cons, prod };
#define WORDS (byte0 + SIZE)
#define DEPTH (SIZE + 4)
#ifdef INTERRUPT
#define SIDES 3
#endif
#include "machine.pml"
#include "bytes.pml"

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
#ifdef WHOLE_WRITES
        bytes = posted;
#else
        atomic { some(bytes, posted) };
#endif
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

bool ready = true; /* the application knows that it may receive */

inline readable_bytes() /* = frontend/fe_data.c */
{
#ifdef PROD_FIRST
    atomic { bytering_queued(FRONT, bytes) };
    atomic { bytering_error(FRONT, ended) }
#else
    atomic { bytering_error(FRONT, ended) };
    atomic { bytering_queued(FRONT, bytes) }
#endif
}

inline wake_application() /* = frontend/fe_data.c */
{
    if
    :: arm ->
        readable_bytes();
        if
        :: bytes > 0 || ended -> atomic { arm = false; ready = true; printf("0 is readable\n") }
        :: else
        fi;
        atomic { bytes = 0; ended = false }
    :: else
    fi
}

/* Nothing is queued: the end of the stream, or a wait. */
inline recv_nothing() /* = frontend/fe_data.c */
{
    if
    :: ended -> atomic { over = true; printf("0 reports the end of the stream\n") }
    :: else ->
        arm = true;
#ifdef INTERRUPT
        atomic { shared_store(FRONT, armed, 1); printf("0 arms\n") };
#endif
#ifndef NO_FENCE_LOOK
        shared_fence(FRONT);
#endif
#ifndef NO_LOOK
        wake_application()
#endif
    fi
}

inline fe_recv() /* = frontend/fe_data.c */
{
    readable_bytes();
#ifdef RETURN_ON_ERROR
    if
    :: ended -> bytes = 0
    :: else
    fi;
#endif
    if
    :: bytes == 0 -> recv_nothing()
    :: else ->
        atomic { some(taken, bytes) };
        bytering_take(FRONT, taken);
        tell(FRONT, back_port);
        ready = true /* it calls again until there is nothing */
    fi;
    atomic { bytes = 0; taken = 0; ended = false }
}

active proctype front()
{
    byte index, bytes, taken, done, word;
    bool arm, ended, over;

end:
    do
#ifndef INTERRUPT
    :: atomic { port_pending(front_port) -> port_take(front_port); printf("0 wakes\n") };
        wake_application(); /* is all that fe_data_port does here */
        port_unmask(front_port)
#endif
    :: atomic { ready && !over -> ready = false };
        fe_recv()
    :: timeout -> /* at rest: nobody can move any more */
        assert(mem[prod] == index && (mem[error] == 0 || over));
        break
    od
}

#ifdef INTERRUPT
/* What fe_data_port would be on another processor than the application; a wake-up cannot be lost. */
active proctype handler()
{
    byte word, produced;
    bool arm, ended;

end:
    do
    :: atomic { port_pending(front_port) -> port_take(front_port) };
        atomic { shared_load(HANDLER, armed, arm); printf("2 wakes and reads armed = %d\n", arm) };
        if
        :: arm ->
            atomic { bytering_error(HANDLER, ended) };
            atomic { shared_load(HANDLER, prod, produced) };
            atomic {
                shared_load(HANDLER, cons, word);
                if
                :: ended || produced != word -> ready = true; mem[armed] = 0
                :: else
                fi;
                word = 0;
                produced = 0;
                ended = false;
                arm = false }
        :: else
        fi
    od
}
#endif

inline pump_in() /* = backend/be_data.c */
{
    if
    :: posted == 0 && !ended -> atomic { bytering_room(BACK, posted) }
    :: else
    fi
}

inline be_data_port() /* = backend/be_data.c */
{
    pump_in()
}

/* The socket gave some of what was posted; `ends`: nothing, and never will. */
inline was_read(ends) /* = backend/be_data.c */
{
    if
#ifdef ERROR_EARLY
    :: ends ->
        ended = true;
        atomic { some(bytes, posted) };
        fill(BACK, bytes);
        atomic { bytering_fail(BACK) };
        atomic { bytering_produced(BACK, bytes) }
#else
    :: ends -> ended = true; atomic { bytering_fail(BACK) }
#endif
    :: else ->
        atomic { some(bytes, posted) };
        fill(BACK, bytes);
        atomic { bytering_produced(BACK, bytes) }
    fi;
    atomic { posted = 0; bytes = 0 };
    tell(BACK, front_port);
#ifndef NO_PUMP
    pump_in()
#endif
}

/* Its socket gives bytes, ends, or is silent for ever from any moment on. */
active proctype back()
{
    byte index, bytes, posted, done, word;
    bool ended, ends, silent;

    pump_in();
end:
    do
    :: atomic { port_pending(back_port) -> port_take(back_port); printf("1 wakes\n") };
        be_data_port();
        port_unmask(back_port)
    :: atomic { posted > 0 && !silent -> if :: ends = true :: ends = false fi };
        was_read(ends)
    :: atomic { posted > 0 && !silent -> silent = true }
    :: timeout ->
        assert(silent || ended);
        break
    od
}
#endif
