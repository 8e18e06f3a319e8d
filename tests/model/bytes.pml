/*
 * Both ends of a data ring, for the models that include it: bytering.pml and eventidx.pml.
 *
 * The model defines the words prod, cons, error and byte0 to byteN, SIZE and BYTE(), and gives each
 * side the variables index (its own, private), done and word. A byte carries the index it was
 * written for, so that a stale one shows. Source: ringlib/bytering.c; protocol.md 1.5.
 */
#define INDEXES (2 * SIZE) /* stands for 2^32 */
#define INDEX(number) ((number) & (INDEXES - 1))
#define BYTE(index) (byte0 + ((index) & (SIZE - 1)))
#define VALUE(index) (1 + INDEX(index))

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
inline some(number, limit)
{
    number = 1;
    do
    :: number < limit -> number++
    :: break
    od
}
