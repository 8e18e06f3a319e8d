/*
 * Rings against a peer that lies: at any moment it writes any index, forward, back or around,
 * rewrites what lies in a slot, and sends events without work.
 *
 * -DOURS_BACK: the backend's command ring against a guest. -DOURS_FRONT: the guest's against a
 * backend. -DOURS_CONSUMER, -DOURS_PRODUCER: an end of a data ring, of either side. Shows that on one snapshot a pass, with the exact
 * window, one copy of a slot and a budget a step: what is used is what was checked, no index leaves
 * its window, a step does bounded work, and so does one lie. After `broken` nothing more is read.
 *
 * Does not model: the words of the hold-off (a lie there costs notifications, which the honest side
 * owes nobody), bytes and slots as such, wake-ups (cmdring.pml). The liar's own stores are seen at
 * once, at any moment, which is all that a buffer could do for it.
 * Defects to plant: see `variants`. Source: ringlib/cmdring.c, ringlib/bytering.c,
 * frontend/fe_ring.c, backend/be_ring.c; reliability 0.2, 1.3; architecture 5, rules 1-4.
 */
#ifndef SIZE
#define SIZE 2 /* slots, or bytes */
#endif
#ifndef INDEXES
#define INDEXES (4 * SIZE) /* stands for 2^32 */
#endif
#define INDEX(number) ((number) & (INDEXES - 1))
#define FRONT 0
#define BACK 1

mtype = { slot3, slot2, slot1, slot0, back_port, front_port, rsp_prod, req_prod, cons, prod };
#define WORDS (slot0 + SIZE)
#define SLOT(index) (slot0 + ((index) & (SIZE - 1)))
#define DEPTH 1 /* the liar reads nothing, so it is all the same to it */
#ifdef OURS_BACK
#define NO_STORES_0
#else
#define NO_STORES_1
#endif
#include "machine.pml"

#define IDS (SIZE + 1) /* what a slot may hold: an id, of which the last does not exist */

byte taken;   /* by this step */
byte allowed; /* requests that the last store of an index, and a pass before it, may yet yield */

inline lie(word, limit)
{
    byte value;

    atomic {
        value = 0;
        do
        :: value < limit - 1 -> value++
        :: break
        od;
        mem[word] = value;
        printf("the liar writes %e = %d\n", word, value);
        value = 0;
        allowed = 2 * SIZE
    }
}

#ifdef OURS_BACK

#define cmdring_back_unanswered INDEX(req_cons - rsp_prod_pvt)

inline cmdring_back_pass() /* = ringlib/cmdring.c */
{
    atomic {
        shared_load(BACK, req_prod, word);
        printf("1 reads req_prod = %d, taken %d, answered %d\n", word, req_cons, rsp_prod_pvt);
        checked = word
    };
#ifdef TWO_SNAPSHOTS
    atomic { shared_load(BACK, req_prod, word); printf("1 reads req_prod = %d again\n", word) };
#endif
    count = INDEX(word - req_cons);
#if defined(CLAMP)
    if
    :: count > SIZE - cmdring_back_unanswered -> count = SIZE - cmdring_back_unanswered
    :: else
    fi;
#elif defined(PROD_OVERFLOW)
    broken = INDEX(checked - rsp_prod_pvt) > SIZE;
#else
    broken = INDEX(checked - req_cons) > SIZE - cmdring_back_unanswered;
#endif
    atomic { word = 0; checked = 0 }
}

#ifdef NO_BUDGET
#define BUDGET_LEFT true
#else
#define BUDGET_LEFT (budget > 0)
#endif

/* Copies once; the id that is validated is the one that is used. */
inline take_request() /* = backend/be_ring.c */
{
    atomic {
        shared_load(BACK, SLOT(req_cons), slot);
        printf("1 reads %e: id %d\n", SLOT(req_cons), slot);
        req_cons = INDEX(req_cons + 1);
        count--;
        budget--;
        taken++;
        assert(cmdring_back_unanswered <= SIZE);
        assert(taken <= SIZE);
        assert(allowed > 0);
        allowed--;
        valid = slot < SIZE
    };
#ifdef DOUBLE_FETCH
    atomic { shared_load(BACK, SLOT(req_cons - 1), slot); printf("1 reads it again: %d\n", slot) };
#endif
    atomic {
        assert(!valid || slot < SIZE); /* it is used here */
        valid = false;
        slot = 0;
        if /* it is answered, or parks */
        :: be_reply()
        :: skip
        fi
    }
}

inline be_reply() /* = backend/be_ring.c */
{
    shared_store(BACK, SLOT(rsp_prod_pvt), 0);
    rsp_prod_pvt = INDEX(rsp_prod_pvt + 1);
    printf("1 answers\n")
}

inline be_ring_port() /* = backend/be_ring.c */
{
    budget = SIZE;
    taken = 0;
    do
    :: cmdring_back_pass();
        if
        :: broken || count == 0 -> break
        :: else
        fi;
        do
        :: count > 0 && BUDGET_LEFT -> take_request()
        :: count > 0 && !BUDGET_LEFT -> more = true; break
        :: count == 0 -> break
        od;
        if
        :: more -> break
        :: else
        fi
        /* be_ring_flush and cmdring_back_arm only store */
    od;
    atomic { budget = 0; count = 0; taken = 0 }
}

active proctype back()
{
    byte req_cons, rsp_prod_pvt, count, budget, slot, word, checked;
    bool more, valid, broken;

end:
    do
    :: atomic { (more || port_pending(back_port)) && !broken ->
        if
        :: more -> more = false; printf("1 goes on\n")
        :: else -> port_take(back_port); printf("1 wakes\n")
        fi };
        be_ring_port()
    :: atomic { cmdring_back_unanswered > 0 && !broken -> be_reply() }
    od
}

active proctype liar()
{
end:
    do
    :: lie(req_prod, INDEXES)
    :: lie(slot0, IDS)
    :: lie(slot1, IDS)
    :: atomic { mem[back_port] = 1; printf("the liar notifies\n") }
    od
}
#endif

#ifdef OURS_FRONT

inline cmdring_front_pass() /* = ringlib/cmdring.c */
{
    shared_load(FRONT, rsp_prod, word);
    printf("0 reads rsp_prod = %d, pushed %d, consumed %d\n", word, req_pushed, rsp_cons);
#ifdef WINDOW_IS_RING
    broken = INDEX(word - rsp_cons) > SIZE;
#else
    broken = INDEX(word - rsp_cons) > INDEX(req_pushed - rsp_cons);
#endif
    count = INDEX(word - rsp_cons);
    word = 0
}

/* Copies once; an id must be lent out. */
inline take_response() /* = frontend/fe_ring.c */
{
    atomic {
        assert(rsp_cons != req_pushed); /* else nobody asked for it */
        shared_load(FRONT, SLOT(rsp_cons), slot);
        printf("0 reads %e: id %d\n", SLOT(rsp_cons), slot);
        rsp_cons = INDEX(rsp_cons + 1);
        count--;
        taken++;
        assert(taken <= SIZE);
#ifndef ID_UNCHECKED
        broken = !(slot < SIZE && (inflight & (1 << slot)))
#endif
    };
#ifdef DOUBLE_FETCH
    atomic { shared_load(FRONT, SLOT(rsp_cons - 1), slot); printf("0 reads it again: %d\n", slot) };
#endif
    atomic {
        if
        :: broken
        :: else ->
            assert(slot < SIZE && (inflight & (1 << slot))); /* it is used here */
            inflight = inflight & ~(1 << slot)
        fi;
        slot = 0
    }
}

inline fe_ring_port() /* = frontend/fe_ring.c */
{
    taken = 0;
    do
    :: atomic { cmdring_front_pass() };
        do
        :: count > 0 && !broken -> take_response()
        :: count == 0 || broken -> break
        od;
        if
        :: broken || taken == consumed -> break
        :: else -> consumed = taken /* cmdring_front_arm only stores */
        fi
    od;
    atomic { count = 0; taken = 0; consumed = 0 }
}

inline fe_ring_submit() /* = frontend/fe_ring.c */
{
    atomic {
        do
        :: inflight & (1 << id) -> id++
        :: else -> break
        od;
        assert(id < SIZE);
        inflight = inflight | (1 << id);
        shared_store(FRONT, SLOT(req_pushed), id);
        id = 0
    };
    atomic { req_pushed = INDEX(req_pushed + 1); shared_store(FRONT, req_prod, req_pushed) }
}

active proctype front()
{
    byte req_pushed, rsp_cons, inflight, count, consumed, slot, word, id;
    bool broken;

end:
    do
    :: atomic { port_pending(front_port) && !broken -> port_take(front_port); printf("0 wakes\n") };
        fe_ring_port()
    :: INDEX(req_pushed - rsp_cons) < SIZE && !broken -> fe_ring_submit()
    od
}

active proctype liar()
{
end:
    do
    :: lie(rsp_prod, INDEXES)
    :: lie(slot0, IDS)
    :: lie(slot1, IDS)
    :: atomic { mem[front_port] = 1; printf("the liar notifies\n") }
    od
}
#endif

#if defined(OURS_CONSUMER) || defined(OURS_PRODUCER)

/* What a side holds of a ring: `seen` is the one snapshot that it checks and uses. */
inline look(peer_word, own_word, distance)
{
    atomic {
        shared_load(FRONT, peer_word, seen);
        printf("0 reads %e = %d, its own index being %d\n", peer_word, seen, index)
    };
#ifdef OWN_INDEX_READ_BACK
    atomic { shared_load(FRONT, own_word, index); printf("0 reads its own index: %d\n", index) };
#endif
    bytes = distance
}

inline bytering_queued() /* = ringlib/bytering.c */
{
#ifdef MASKED
    look(prod, cons, ((seen == index) -> 0 :
                      (((seen ^ index) & (SIZE - 1)) == 0 -> SIZE : (seen - index) & (SIZE - 1))));
#else
    look(prod, cons, INDEX(seen - index));
    broken = bytes > SIZE;
#endif
#ifdef TWO_SNAPSHOTS
    look(prod, cons, INDEX(seen - index))
#endif
}

inline bytering_room() /* = ringlib/bytering.c */
{
#ifdef MASKED
    look(cons, prod, ((seen == index) -> SIZE :
                      SIZE - (((seen ^ index) & (SIZE - 1)) == 0 -> SIZE : (index - seen) & (SIZE - 1))));
#else
    look(cons, prod, SIZE - INDEX(index - seen));
    broken = INDEX(index - seen) > SIZE;
#endif
#ifdef TWO_SNAPSHOTS
    look(cons, prod, SIZE - INDEX(index - seen))
#endif
}

/* Moves as many bytes as it found, or fewer: inside the array, and inside what the peer claimed. */
inline move(own_word)
{
    if
    :: broken || bytes == 0
    :: else ->
        atomic {
            assert(bytes <= SIZE && index == moved);
            if
            :: bytes > 1 -> bytes--
            :: skip
            fi;
            index = INDEX(index + bytes);
            moved = index;
            shared_store(FRONT, own_word, index);
            printf("0 moves %d bytes\n", bytes) }
    fi;
    atomic { bytes = 0; seen = 0 }
}

#ifdef OURS_CONSUMER
active proctype consumer()
{
    byte index, bytes, seen, moved;
    bool broken;

end:
    do
    :: !broken -> bytering_queued();
        assert(broken || INDEX(seen - index) <= SIZE); /* believed: then it is in the window */
        move(cons)
    od
}

#else
active proctype producer()
{
    byte index, bytes, seen, moved;
    bool broken;

end:
    do
    :: !broken -> bytering_room();
        assert(broken || INDEX(index - seen) <= SIZE);
        move(prod)
    od
}

#endif

active proctype liar()
{
end:
    do
    :: lie(prod, INDEXES)
    :: lie(cons, INDEXES)
    od
}
#endif
