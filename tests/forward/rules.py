"""Many rules at the same time: rules.py PORT:TARGET... NEAR:DEAD

Each TARGET is served here, and says which one it is, then echoes. To each PORT ten connections come,
one after the other, to all of them at once. Meanwhile ten others want to reach DEAD through NEAR,
which never answers them.
"""
import concurrent.futures
import contextlib
import socket
import sys

PATIENCE = 20
TIMES = 10
RULES = [tuple(map(int, rule.split(":"))) for rule in sys.argv[1:-1]]
NEAR, DEAD = map(int, sys.argv[-1].split(":"))


def serve(server, target):
    for _ in range(TIMES):
        one, _ = server.accept()
        with one:
            one.settimeout(PATIENCE)
            one.sendall(b"%5d" % target)
            while data := one.recv(1000):
                one.sendall(data)


def come(port, target):
    for number in range(TIMES):
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as one:
            one.sendall(b"%3d" % number)
            got = b""
            while len(got) < 8:
                data = one.recv(100)
                assert data, f"the end of {port} after {got}"
                got += data
            assert got == b"%5d%3d" % (target, number), got


def never_answers(stack):
    """A full backlog drops the SYN of whoever comes next."""
    dead = stack.enter_context(socket.create_server(("127.0.0.1", DEAD), backlog=0))
    for _ in range(3):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(dead.getsockname())
    for _ in range(10):
        stack.enter_context(socket.create_connection(("127.0.0.1", NEAR), PATIENCE))


with contextlib.ExitStack() as open_ones, \
        concurrent.futures.ThreadPoolExecutor(2 * len(RULES)) as pool:
    never_answers(open_ones)
    servers = [socket.create_server(("127.0.0.1", target), backlog=TIMES) for _, target in RULES]
    for server in servers:
        server.settimeout(PATIENCE)
    doing = [pool.submit(serve, server, target) for server, (_, target) in zip(servers, RULES)]
    doing += [pool.submit(come, *rule) for rule in RULES]
    for one in concurrent.futures.as_completed(doing):
        one.result()
