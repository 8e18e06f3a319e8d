"""Odd ends of connections, by name: ends.py END LISTEN TARGET BESIDE-LISTEN BESIDE-TARGET

LISTEN is where a forwarding listens, TARGET where this is to serve; the other two are those of
another connection through the same forwarding, which must be carried meanwhile. What the guest's
side sees as an error is `near`; the dialect has no word for it in the other direction, so on the
far side an end must do: the environment has FAR=1 where the client is there.
"""
import contextlib
import hashlib
import os
import random
import select
import socket
import struct
import sys
import threading
import time

PATIENCE = 20  # seconds, of every wait
FAR = "FAR" in os.environ
LISTEN, TARGET, BESIDE_LISTEN, BESIDE_TARGET = map(int, sys.argv[2:6])


def listener(port, backlog=128, receive=None):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if receive:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    one.bind(("127.0.0.1", port))
    one.listen(backlog)
    one.settimeout(PATIENCE)
    return one


def client(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def accepted(from_listener):
    one, _ = from_listener.accept()
    one.settimeout(PATIENCE)
    return one


def pair():
    """Both ends of a connection to our own server."""
    with listener(TARGET) as server:
        near = client(LISTEN)
        return near, accepted(server)


def rest(one):
    """What comes until the end of the stream, and whether that was an error."""
    got = bytearray()
    try:
        while data := one.recv(1 << 16):
            got += data
    except ConnectionResetError:
        return bytes(got), True
    return bytes(got), False


def reset(one):
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()


def sent_by(one, data):
    sender = threading.Thread(target=lambda: (one.sendall(data), one.shutdown(socket.SHUT_WR)))
    sender.start()
    return sender


def exactly(one, count):
    got = bytearray()
    while len(got) < count:
        data = one.recv(min(1 << 16, count - len(got)))
        assert data, "it ended early"
        got += data
    return bytes(got)


def beside():
    """Another connection is carried, with its contents, both ways.

    Nobody ends a direction before all of both has arrived: behind -R the other direction would be cut
    off at its first pause of a fiftieth of the hold, and a busy machine pauses whom it likes.
    """
    data = random.Random(1).randbytes(3 << 20)
    with listener(BESIDE_TARGET) as server, client(BESIDE_LISTEN) as here, \
            accepted(server) as there:
        senders = [threading.Thread(target=one.sendall, args=[what])
                   for one, what in ((here, data), (there, data[::-1]))]
        for sender in senders:
            sender.start()
        assert exactly(there, len(data)) == data, "other bytes went there"
        assert exactly(here, len(data)) == data[::-1], "other bytes came back"
        for sender in senders:
            sender.join()
        there.shutdown(socket.SHUT_WR)
        assert rest(here) == (b"", False), "more than was sent, or another end"


def refuses():
    """The reset may come before this process has seen that it is connected."""
    got = b"", True
    with contextlib.suppress(ConnectionResetError), client(LISTEN) as one:
        got = rest(one)
    assert got == (b"", not FAR)


def resets_in_the_middle():
    """What came before is a beginning of the stream."""
    data = random.Random(2).randbytes(1 << 20)
    near, far = pair()
    with near:
        far.sendall(data[:200000])
        beginning = near.recv(100000)
        reset(far)
        more, broken = rest(near)
        assert broken is not FAR, "the client sees no reset"
        assert data.startswith(beginning + more) and beginning
    near, far = pair()
    with far:
        near.sendall(data[:1000])
        assert far.recv(1) == data[:1]
        reset(near)
        more, broken = rest(far)
        assert data.startswith(data[:1] + more)
        assert broken is FAR, "the end of the server is another"


def never_reads():
    """The client is held up, until the server reads after all: then everything arrives."""
    most, step = 128 << 20, 1 << 16
    block = random.Random(3).randbytes(step)
    wrote = 0
    with listener(TARGET, receive=1 << 16) as server, client(LISTEN) as near:
        near.setblocking(False)
        with accepted(server) as far:
            while wrote < most and select.select([], [near], [], 0.3)[1]:
                with contextlib.suppress(BlockingIOError):
                    wrote += near.send(block[wrote % step:])
            assert wrote < most // 2, f"{wrote} bytes went where nobody reads"
            beside()
            got = 0
            while got < wrote:
                data = far.recv(step - got % step)
                assert data == block[got % step:got % step + len(data)] and data
                got += len(data)
            assert not select.select([far], [], [], 0)[0], "more came than was written"


@contextlib.contextmanager
def silent_target():
    """A full backlog drops the SYN of whoever comes next."""
    with listener(TARGET, backlog=0), contextlib.ExitStack() as stack:
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", TARGET))
        yield stack


def never_answers():
    """Many wait for it, and nobody for them."""
    with silent_target() as stack:
        waiting = [stack.enter_context(client(LISTEN)) for _ in range(12)]
        for one in waiting:
            one.sendall(b"nobody is to have this")
        beside()
        assert not select.select(waiting, [], [], 0)[0], "something came from nobody"
        beside()


def is_given_up():
    """Nor does it last for ever: CONNECT_TIMEOUT seconds, as the environment has it."""
    with silent_target():
        since = time.monotonic()
        with client(LISTEN) as waiting:
            assert rest(waiting) == (b"", not FAR), "the end is another"
        assert time.monotonic() - since >= float(os.environ["CONNECT_TIMEOUT"]), "it is too early"


def ends_its_direction():
    """nc -N: the answer still comes, however long it is; the server decides when."""
    near, far = pair()
    answer = random.Random(4).randbytes(20 << 20)
    with near, far:
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        got = bytearray()
        while len(got) < len(b"question"):
            got += far.recv(100)
        assert got == b"question"
        sender = sent_by(far, answer)
        assert rest(near) == (answer, False), "another answer came"
        sender.join()
        far.settimeout(PATIENCE)
        assert rest(far) == (b"", False), "the server has not the end of the question"


def is_silent():
    """Who ends beside the guest, and hears nothing, is given up: the other has the end at last."""
    near, far = reversed(pair()) if FAR else pair()
    with near, far:
        near.sendall(b"question")
        near.shutdown(socket.SHUT_WR)
        assert rest(far) == (b"question", False)
        assert rest(near) == (b"", False)


def server_ends_its_direction():
    """Then the client may go on."""
    near, far = pair()
    question = random.Random(5).randbytes(20 << 20)
    with near, far:
        far.sendall(b"ready")
        far.shutdown(socket.SHUT_WR)
        assert rest(near) == (b"ready", False)
        sender = sent_by(near, question)
        assert rest(far) == (question, False)
        sender.join()


globals()[sys.argv[1]]()
