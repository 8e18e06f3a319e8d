"""BIND through a SOCKS door, as a client of active FTP uses it: bind.py DOOR SERVER WAY COUNT

Serves at SERVER, whom each client reaches through the door and tells where it listens; from there
the server connects to it, and COUNT at the same time carry bytes: down to the client, or up (WAY).
Without WAY: what a client is told that is not served is compared with `answers`.
"""
import concurrent.futures
import random
import socket
import struct
import sys
import threading

DOOR, SERVER = int(sys.argv[1]), int(sys.argv[2])
PATIENCE = 20
BYTES = 300000
CONNECT, BIND = 1, 2
LOW, HIGH = 61000, 65535


def exactly(one, count):
    got = bytearray()
    while len(got) < count:
        data = one.recv(count - len(got))
        assert data, f"the end after {bytes(got)}"
        got += data
    return bytes(got)


def answer(one):
    version, reply, _, kind = exactly(one, 4)
    assert version == 5 and kind in (1, 4)
    host = socket.inet_ntop({1: socket.AF_INET, 4: socket.AF_INET6}[kind],
                            exactly(one, 4 if kind == 1 else 16))
    return reply, host, struct.unpack("!H", exactly(one, 2))[0]


def request(command, host, port):
    """A connection to the door that has asked, and the door's first answer."""
    one = socket.create_connection(("127.0.0.1", DOOR), PATIENCE)
    one.sendall(b"\5\1\0")
    assert exactly(one, 2) == b"\5\0"
    kind, family = (4, socket.AF_INET6) if ":" in host else (1, socket.AF_INET)
    one.sendall(struct.pack("!BBBB", 5, command, 0, kind) + socket.inet_pton(family, host)
                + struct.pack("!H", port))
    return one, answer(one)


def contents(number):
    return random.Random(number).randbytes(BYTES)


def serve_one(control, way):
    """What the client says is HOST PORT NUMBER; connect there and carry."""
    with control, control.makefile("r") as lines:
        host, port, number = lines.readline().split()
        with socket.create_connection((host, int(port)), PATIENCE) as data:
            if way == "down":
                data.sendall(contents(int(number)))
            else:
                assert exactly(data, BYTES) == contents(int(number)), "the server has other bytes"
            control.sendall(b"done\n")


def serve(server, way, count):
    for _ in range(count):
        control, _ = server.accept()
        control.settimeout(PATIENCE)
        threading.Thread(target=serve_one, args=(control, way)).start()


def client(way, number, host):
    control, (reply, _, _) = request(CONNECT, "127.0.0.1", SERVER)
    assert reply == 0
    data, (reply, bound, port) = request(BIND, host, SERVER)
    assert (reply, bound) == (0, host) and LOW <= port <= HIGH, (reply, bound, port)
    control.sendall(f"{bound} {port} {number}\n".encode())
    reply, who, port = answer(data)
    assert (reply, who, port) == (0, "0.0.0.0", 0), "who it is nobody knows"
    if way == "down":
        assert exactly(data, BYTES) == contents(number), "the client has other bytes"
        assert data.recv(1) == b""
    else:
        data.sendall(contents(number))
    assert exactly(control, 5) == b"done\n"
    control.close()
    data.close()


def carry(way, count):
    with socket.create_server(("127.0.0.1", SERVER), backlog=count) as server:
        server.settimeout(PATIENCE)
        serving = threading.Thread(target=serve, args=(server, way, count))
        serving.start()
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            for one in [pool.submit(client, way, number, ("127.0.0.1", "::1")[number % 2])
                        for number in range(count)]:
                one.result()
        serving.join()


def closes_early():
    """Nobody listens any more behind a client that has gone, and nobody takes what it sends."""
    data, (reply, host, port) = request(BIND, "127.0.0.1", SERVER)
    assert reply == 0
    with socket.create_connection((host, port), PATIENCE) as first:
        assert answer(data) == (0, "0.0.0.0", 0)
        try:
            socket.create_connection((host, port), PATIENCE)
            raise AssertionError("it listens for a second one")
        except ConnectionRefusedError:
            pass
        data.close()
        assert first.recv(1) == b""


if len(sys.argv) > 3:
    carry(sys.argv[3], int(sys.argv[4]))
    closes_early()
else:
    print(request(BIND, "127.0.0.1", SERVER)[1][0])
