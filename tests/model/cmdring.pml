/*
 * The command ring between two honest sides: requests and responses through the same slots, each
 * direction with ring.h's hold-off of notifications.
 *
 * Shows, for any number of requests over indexes that wrap: every slot is read as it was written,
 * no two outstanding requests share an id, and at rest nothing waits: every request was answered
 * and every answer consumed, so no wake-up was lost. Responses come in any order, one or several at
 * a push, at once or later. With -DSHORT_OF_ROOM a step may also lack room for actions anywhere in a
 * pass. With -DNO_PARK every request is answered at once.
 *
 * Does not model: what a request means, a lying peer (hostile.pml), the device's life.
 * Defects to plant: see `variants`. Source: ringlib/cmdring.c, frontend/fe_ring.c,
 * backend/be_ring.c; protocol.md 4.
 */
#ifndef SIZE
#define SIZE 2 /* slots */
#endif
#ifndef INDEXES
#define INDEXES (2 * SIZE) /* stands for 2^32; the least that tells full from empty */
#endif
#define INDEX(number) ((number) & (INDEXES - 1))

#define FRONT 0
#define BACK 1

mtype = { slot3, slot2, slot1, slot0, back_port, front_port, rsp_event, rsp_prod, req_event, req_prod };
#define WORDS (slot0 + SIZE)
#define SLOT(index) (slot0 + ((index) & (SIZE - 1)))
#define DEPTH (2 * SIZE + 2)
#include "machine.pml"

/* What lies in a slot says which index it was written for, so that anything stale shows. */
#define REQUEST(index, id) (INDEX(index) * SIZE + (id))
#define RESPONSE(index, id) (128 + REQUEST(index, id))
#define ID(slot) ((slot) & (SIZE - 1))

inline event_crossed(me, event_word, old, prod, crossed) /* = ringlib/cmdring.c */
{
    atomic {
#ifndef NO_FENCE_PUSH
        shared_fence(me);
#endif
        shared_load(me, event_word, word);
        crossed = INDEX(prod - word) < INDEX(prod - old);
        printf("%d reads %e = %d: notify %d\n", me, event_word, word, crossed);
        word = 0;
        old = 0
    }
}

inline cmdring_front_init() /* = ringlib/cmdring.c */
{
    mem[req_event] = 1;
    mem[rsp_event] = 1;
}

#ifdef REUSE
#define cmdring_front_free (SIZE - INDEX(req_prod_pvt - rsp_seen))
#else
#define cmdring_front_free (SIZE - INDEX(req_prod_pvt - rsp_cons))
#endif

inline cmdring_front_put(slot) /* = ringlib/cmdring.c */
{
    assert(cmdring_front_free > 0);
    shared_store(FRONT, SLOT(req_prod_pvt), slot);
    printf("0 writes %e = request %d, id %d\n", SLOT(req_prod_pvt), req_prod_pvt, ID(slot));
    req_prod_pvt = INDEX(req_prod_pvt + 1)
}

inline cmdring_front_push(crossed) /* = ringlib/cmdring.c */
{
    atomic {
        old = req_pushed;
        req_pushed = req_prod_pvt;
        shared_store(FRONT, req_prod, req_prod_pvt);
        printf("0 writes req_prod = %d\n", req_prod_pvt)
    }
    event_crossed(FRONT, req_event, old, req_prod_pvt, crossed)
}

inline cmdring_front_pass() /* = ringlib/cmdring.c */
{
    atomic {
        shared_load(FRONT, rsp_prod, word);
        printf("0 reads rsp_prod = %d, having consumed %d\n", word, rsp_cons);
        assert(INDEX(word - rsp_cons) <= INDEX(req_pushed - rsp_cons));
        rsp_seen = word;
        count = INDEX(word - rsp_cons);
        word = 0
    }
}

inline cmdring_front_get(slot) /* = ringlib/cmdring.c */
{
    assert(rsp_cons != rsp_seen);
    shared_load(FRONT, SLOT(rsp_cons), slot);
    printf("0 reads %e\n", SLOT(rsp_cons));
    assert(slot == RESPONSE(rsp_cons, ID(slot)));
    rsp_cons = INDEX(rsp_cons + 1)
}

inline cmdring_front_arm() /* = ringlib/cmdring.c */
{
    atomic {
#ifdef ARM_SHORT
        shared_store(FRONT, rsp_event, rsp_cons);
#else
        shared_store(FRONT, rsp_event, INDEX(rsp_cons + 1));
#endif
        printf("0 arms rsp_event behind %d\n", rsp_cons)
    }
#ifndef NO_FENCE_ARM
    shared_fence(FRONT)
#endif
}

#define cmdring_back_unanswered INDEX(req_cons - rsp_prod_pvt)

inline cmdring_back_pass() /* = ringlib/cmdring.c */
{
    atomic {
        shared_load(BACK, req_prod, word);
        printf("1 reads req_prod = %d, having taken %d\n", word, req_cons);
        assert(INDEX(word - req_cons) <= SIZE - cmdring_back_unanswered);
        req_seen = word;
        count = INDEX(word - req_cons);
        word = 0
    }
}

inline cmdring_back_get(slot) /* = ringlib/cmdring.c */
{
    assert(req_cons != req_seen);
    shared_load(BACK, SLOT(req_cons), slot);
    printf("1 reads %e\n", SLOT(req_cons));
    assert(slot == REQUEST(req_cons, ID(slot)));
    req_cons = INDEX(req_cons + 1)
}

inline cmdring_back_put(id) /* = ringlib/cmdring.c */
{
    assert(cmdring_back_unanswered > 0);
    shared_store(BACK, SLOT(rsp_prod_pvt), RESPONSE(rsp_prod_pvt, id));
    printf("1 writes %e = response %d, id %d\n", SLOT(rsp_prod_pvt), rsp_prod_pvt, id);
    rsp_prod_pvt = INDEX(rsp_prod_pvt + 1)
}

inline cmdring_back_push(crossed) /* = ringlib/cmdring.c */
{
    atomic {
        old = rsp_pushed;
        rsp_pushed = rsp_prod_pvt;
        shared_store(BACK, rsp_prod, rsp_prod_pvt);
        printf("1 writes rsp_prod = %d\n", rsp_prod_pvt)
    }
    event_crossed(BACK, rsp_event, old, rsp_prod_pvt, crossed)
}

inline cmdring_back_arm() /* = ringlib/cmdring.c */
{
    atomic {
#ifdef ARM_SHORT
        shared_store(BACK, req_event, req_cons);
#else
        shared_store(BACK, req_event, INDEX(req_cons + 1));
#endif
        printf("1 arms req_event behind %d\n", req_cons)
    }
#ifndef NO_FENCE_ARM
    shared_fence(BACK)
#endif
}

/* A step for what was left over, else for the event; the port stays masked while more is left. */
#define STEP_BEGINS(me, port) \
    if \
    :: more -> more = false; printf("%d goes on\n", me) \
    :: else -> port_take(port); printf("%d wakes\n", me) \
    fi

#ifdef NO_MORE
#define STEP_ENDS(port) more = false; port_unmask(port)
#else
#define STEP_ENDS(port) port_unmask(port)
#endif

/* ---- the front ------------------------------------------------------------------------------ */

inline free_entry(id) /* = frontend/fe_ring.c */
{
    id = 0;
#ifdef ID_IS_SLOT
    id = req_prod_pvt & (SIZE - 1);
#else
    do
    :: inflight & (1 << id) -> id++
    :: else -> break
    od;
    assert(id < SIZE) /* ids are as many as slots */
#endif
}

inline fe_ring_submit() /* = frontend/fe_ring.c */
{
    if
    :: waiting > 0 && cmdring_front_free > 0 ->
        do
        :: atomic {
            free_entry(id);
            inflight = inflight | (1 << id);
            cmdring_front_put(REQUEST(req_prod_pvt, id));
            id = 0;
            waiting--;
            if
            :: waiting == 0 || cmdring_front_free == 0 -> break
            :: else
            fi }
        od;
        cmdring_front_push(due);
        if
        :: due -> atomic { notify(FRONT, back_port); due = false; printf("0 notifies\n") }
        :: else
        fi
    :: else
    fi
}

inline take_response() /* = frontend/fe_ring.c */
{
    cmdring_front_get(slot);
    assert(inflight & (1 << ID(slot)));
    inflight = inflight & ~(1 << ID(slot));
    slot = 0
}

/* The inner loop is one pass; it ends early (`more`) where the step has no room for actions. */
inline fe_ring_port() /* = frontend/fe_ring.c */
{
    do
    :: atomic {
        cmdring_front_pass();
        if
        :: count == 0 -> break
        :: else
        fi };
        do
        :: atomic {
            take_response();
            if
            :: rsp_cons == rsp_seen -> break
#ifdef SHORT_OF_ROOM
            :: rsp_cons != rsp_seen -> more = true; break
#endif
            :: rsp_cons != rsp_seen
            fi }
        od;
        count = 0;
        if
        :: more -> break
        :: else
        fi;
        cmdring_front_arm();
#ifdef NO_RECHECK_FRONT
        break
#endif
    od
}

/* What the application wants next is up to it, and it may stop wanting at any time. */
active proctype front()
{
    byte req_prod_pvt, req_pushed, rsp_cons, rsp_seen; /* struct cmdring_front */
    byte inflight; /* a bit for each id lent out */
    byte waiting;  /* requests the application wants and the ring had no slot for */
    bool quiet;    /* it wants nothing more */
    byte count, old, word, slot, id;
    bool due, more;

    cmdring_front_init();
end:
    do
#ifdef SHORT_OF_ROOM
    :: atomic { more || port_pending(front_port) -> STEP_BEGINS(0, front_port) };
#else
    :: atomic { port_pending(front_port) -> port_take(front_port); printf("0 wakes\n") };
#endif
        fe_ring_port();
        STEP_ENDS(front_port);
        fe_ring_submit()
    :: atomic { !quiet && waiting == 0 -> if :: waiting = 1 :: waiting = 2 fi };
        fe_ring_submit()
    :: atomic { !quiet -> quiet = true; printf("0 wants nothing more\n") }
    :: timeout -> /* at rest: nobody can move any more */
        assert(quiet && waiting == 0 && rsp_cons == req_prod_pvt);
        break
    od
}

/* ---- the back ------------------------------------------------------------------------------- */

inline be_reply(id) /* = backend/be_ring.c */
{
    pending = pending & ~(1 << id);
    cmdring_back_put(id);
    reply_notify = true
}

inline be_ring_flush() /* = backend/be_ring.c */
{
    if
    :: reply_notify ->
        cmdring_back_push(crossed);
        reply_notify = false;
        if
        :: crossed -> atomic { notify(BACK, front_port); crossed = false; printf("1 notifies\n") }
        :: else
        fi
    :: else
    fi
}

inline take_request() /* = backend/be_ring.c */
{
    cmdring_back_get(slot);
    assert(!(pending & (1 << ID(slot)))); /* else two outstanding requests share an id */
    pending = pending | (1 << ID(slot));
    if
    :: be_reply(ID(slot))
#ifndef NO_PARK
    :: skip /* it parks */
#endif
    fi;
    slot = 0
}

/* The inner loop is one pass. The answers go out before the next look. */
inline be_ring_port() /* = backend/be_ring.c */
{
    budget = SIZE;
    do
    :: atomic {
        cmdring_back_pass();
        if
        :: count == 0 -> break
        :: count > 0 && budget == 0 -> more = true; break
        :: count > 0 && budget > 0
        fi };
        do
        :: atomic {
            budget--;
            take_request();
            if
            :: req_cons == req_seen -> break
            :: req_cons != req_seen && budget == 0 -> more = true; break
#ifdef SHORT_OF_ROOM
            :: req_cons != req_seen && budget > 0 -> more = true; break
#endif
            :: req_cons != req_seen && budget > 0
            fi }
        od;
        count = 0;
        if
        :: more -> break
        :: else
        fi;
        be_ring_flush();
        cmdring_back_arm();
#ifdef NO_RECHECK_BACK
        break
#endif
    od;
    atomic { budget = 0; count = 0 }
}

/* What parked is answered at any time, in any order, one or several at a push. */
active proctype back()
{
    byte rsp_prod_pvt, rsp_pushed, req_cons, req_seen; /* struct cmdring_back */
    byte pending; /* a bit for each id that is owed a reply */
    byte count, old, word, slot, id, budget;
    bool crossed, more, reply_notify;

end:
    do
    :: atomic { more || port_pending(back_port) -> STEP_BEGINS(1, back_port) };
        be_ring_port();
        STEP_ENDS(back_port);
        be_ring_flush()
#ifndef NO_PARK
    :: atomic {
        pending != 0 ->
        do
        :: pending & (1 << id) -> break
        :: (pending >> (id + 1)) != 0 -> id++
        od;
        be_reply(id);
        id = 0 };
        be_ring_flush()
#endif
    od
}
