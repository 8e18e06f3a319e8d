/*
 * A data ring whose notifications are suppressed: a side is notified only where it may be waiting.
 *
 * By event words (protocol.md 2.2): who waits stores the index behind the one it has seen, fences,
 * looks again; who publishes fences, and notifies if that event lies in (old, new]. With -DCAUGHT_UP
 * without any word (reliability 3.2): the producer notifies if the consumer had consumed all before,
 * the consumer if the ring was full before; each fences after publishing and looks before it sleeps.
 * The guest produces (`out`); `in` is the same with the sides exchanged.
 *
 * Shows, for streams of any length over indexes that wrap: bytes arrive as they were written; at
 * rest neither side waits for what is there, room or bytes.
 *
 * Does not model: the end of a stream (bytering.pml; an error is notified always). No C has this
 * yet: the model is the design. Defects to plant: see `variants`.
 */
#ifndef SIZE
#define SIZE 2 /* bytes */
#endif
#define FRONT 0
#define BACK 1

mtype = { byte3, byte2, byte1, byte0, back_port, front_port, error, cons_event, prod_event, cons, prod };
#define WORDS (byte0 + SIZE)
#define DEPTH (SIZE + 4)
#include "machine.pml"
#include "bytes.pml"

/* As event_crossed of ringlib/cmdring.c. */
inline publish_crossed(me, event_word, port)
{
    atomic {
        shared_load(me, event_word, word);
        due = INDEX(index - word) < INDEX(index - old);
        printf("%d reads %e = %d: notify %d\n", me, event_word, word, due);
        word = 0;
        old = 0
    };
    if
    :: due -> due = false; tell(me, port)
    :: else
    fi
}

/* Whether the peer, by its own index, may have been waiting before this was published. */
inline publish_caught_up(me, peer_word, distance, port)
{
    atomic {
        shared_load(me, peer_word, word);
        due = (INDEX(word - old) == distance);
        printf("%d reads %e = %d: notify %d\n", me, peer_word, word, due);
        word = 0;
        old = 0
    };
    if
    :: due -> due = false; tell(me, port)
    :: else
    fi
}

inline arm(me, event_word, seen)
{
    atomic {
#ifdef ARM_SHORT
        shared_store(me, event_word, INDEX(seen));
#else
        shared_store(me, event_word, INDEX(seen + 1));
#endif
        printf("%d arms %e behind %d\n", me, event_word, INDEX(seen))
    }
}

/* One or two bytes at a time; it may stop wanting to send whenever it is not waiting for room. */
active proctype front()
{
    byte index, old, bytes, wanted, done, word;
    bool asleep, due, quiet;

    atomic { mem[prod_event] = 1; mem[cons_event] = 1 };
end:
    do
    :: atomic { port_pending(front_port) -> port_take(front_port); printf("0 wakes\n") };
        asleep = false;
        port_unmask(front_port)
    :: atomic {
        !asleep && !quiet ->
        bytering_room(FRONT, bytes);
        some(wanted, 2);
        if
        :: bytes > wanted -> bytes = wanted
        :: else
        fi;
        wanted = 0 };
#ifndef CAUGHT_UP
        if
        :: bytes == 0 ->
            arm(FRONT, cons_event, index - SIZE);
#ifndef NO_FENCE_ARM_PRODUCER
            shared_fence(FRONT);
#endif
#ifndef NO_LOOK_PRODUCER
            atomic {
            bytering_room(FRONT, bytes);
            if
            :: bytes > 1 -> bytes = 1
            :: else
            fi }
#endif
        :: else
        fi;
#endif
        if
        :: bytes == 0 -> asleep = true
        :: else ->
            old = index;
            bytering_put(FRONT, bytes);
#ifndef NO_FENCE_PUBLISH_PRODUCER
            shared_fence(FRONT);
#endif
#ifdef CAUGHT_UP
            publish_caught_up(FRONT, cons, 0, back_port)
#else
            publish_crossed(FRONT, prod_event, back_port)
#endif
        fi;
        bytes = 0
    :: atomic { !asleep && !quiet -> quiet = true; printf("0 sends no more\n") }
    :: timeout -> /* at rest: nobody can move any more */
        assert(quiet && mem[cons] == index);
        break
    od
}

active proctype back()
{
    byte index, old, bytes, taken, done, word;
    bool asleep, due;

end:
    do
    :: atomic { port_pending(back_port) -> port_take(back_port); printf("1 wakes\n") };
        asleep = false;
        port_unmask(back_port)
    :: atomic { !asleep -> bytering_queued(BACK, bytes) };
#ifndef CAUGHT_UP
        if
        :: bytes == 0 ->
            arm(BACK, prod_event, index);
#ifndef NO_FENCE_ARM_CONSUMER
            shared_fence(BACK);
#endif
#ifndef NO_LOOK_CONSUMER
            atomic { bytering_queued(BACK, bytes) }
#endif
        :: else
        fi;
#endif
        if
        :: bytes == 0 -> asleep = true
        :: else ->
            old = index;
            atomic { some(taken, bytes) };
            bytering_take(BACK, taken);
#ifndef NO_FENCE_PUBLISH_CONSUMER
            shared_fence(BACK);
#endif
#ifdef CAUGHT_UP
            publish_caught_up(BACK, prod, SIZE, front_port)
#else
            publish_crossed(BACK, cons_event, front_port)
#endif
        fi;
        atomic { bytes = 0; taken = 0 }
    od
}
