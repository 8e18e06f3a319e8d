#!/usr/bin/env python3
"""Xenstores that are odd: `odd_xenstore.py ODDITY...` serves ODDITY/xenstore.sock for each, until it
is killed, and says "serving" when all are there.

For what the real one never does, or cannot be made to do at a given moment; it is no reference. Each
answers DIRECTORY, READ, GET_PERMS, WATCH and CONTROL from the tables below, in Xen's wire format,
and with the oddity that its name says.
"""
import os
import socket
import struct
import sys
import threading

CONTROL, DIRECTORY, READ, GET_PERMS, WATCH, EVENT, ERROR, PART = 0, 1, 2, 3, 4, 15, 16, 22
PAYLOAD_MAX = 4096

tree = {"/v": b"", "/v/quote": b'a "b"', "/v/empty": b"", "/v/utf8": "\u00e4".encode(),
        "/v/depth": b"0", "/v/depth/1": b"1", "/v/depth/1/2": b"2", "/w": b"last"}
for byte in range(256):
    tree[f"/v/{byte}"] = bytes([byte])
    tree[f"/v/{byte}then7"] = bytes([byte]) + b"7"
tree["/long"] = b"x" * PAYLOAD_MAX
for number in range(1500):  # their names are longer than two messages
    tree[f"/long/{number}"] = b"%d" % number
device = "/local/domain/1/device/xensock/0"
for end in range(len(device)):
    if device[end:end + 1] == "/" and end > 0:
        tree[device[:end]] = b""
tree.update({device: b"", device + "/backend": b"\x1b[2J\xff", device + "/backend-id": b"junk",
             device + "/state": b"4", device[:-1] + "1": b"", device[:-1] + "1/state": b"3"})
perms = {"/v": [b"n0", b"r1", b"b2"], "/long": [b"w7"]}
generation = [7]
DOMAIN = b"domain 0 connected 1 0 0 400 0 300 0 0 7 1 0\n"
answers = {"a-word-more": DOMAIN[:-1] + b" 1\n", "nonsense": b"domain 0 one\n",
           "no-progress": b"next 0\n", "no-number": b"next -5\n"}


def children(directory):
    above = directory.rstrip("/") + "/"
    return b"".join(name[len(above):].encode() + b"\0" for name in tree
                    if name.startswith(above) and "/" not in name[len(above):])


def part_of(oddity, directory, offset):
    names = children(directory)
    if oddity == "list-changes" and generation[0] == 7 and offset > 0:
        generation[0] = 8
        del tree["/long/3"]  # of the part that was read
    elif oddity == "list-always-changes":
        generation[0] += 1
    head = b"%d\0" % generation[0]
    part = names[offset:offset + PAYLOAD_MAX - len(head) - 1]
    if offset + len(part) < len(names):
        return head + part[:part.rindex(b"\0") + 1]
    return head + part + b"\0"


def answer(oddity, kind, words):
    """The payload, or the name of an error as a text."""
    if kind == CONTROL:
        return answers.get(oddity, DOMAIN)
    node = words[0].decode()
    if kind == WATCH:
        return b"OK\0"
    if node != "/" and node not in tree:
        return "ENOENT"
    if kind == DIRECTORY:
        names = children(node)
        return names if len(names) <= PAYLOAD_MAX else "E2BIG"
    if kind == PART:
        return part_of(oddity, node, int(words[1]))
    if oddity == "node-goes" and node == "/v/depth/1":
        return "ENOENT"
    if oddity == "node-is-withheld" and node == "/v/depth/1":
        return "EACCES"
    if oddity == "odd-error" and node == "/v/depth/1":
        return "EHOSTDOWN"
    return tree.get(node, b"") if kind == READ else \
        b"".join(perm + b"\0" for perm in perms.get(node, [b"n0"]))


def message(kind, request, payload):
    return struct.pack("<IIII", kind, request, 0, len(payload)) + payload


def reply(client, oddity, kind, request, words):
    got = answer(oddity, kind, words)
    if oddity == "closes":
        return False
    if oddity == "too-long":
        client.sendall(struct.pack("<IIII", kind, request, 0, PAYLOAD_MAX + 1))
    elif oddity == "cut":
        client.sendall(message(kind, request, b"twelve bytes")[:20])
        return False
    elif oddity == "other-request":
        client.sendall(message(kind, request + 1, got))
    elif oddity == "other-type":
        client.sendall(message(kind + 1, request, got))
    elif isinstance(got, str):
        client.sendall(message(ERROR, request, got.encode() + b"\0"))
    else:
        if oddity == "events-before-answers" and kind in (WATCH, READ):
            for node in (b"/v/depth", b"/v/depth", b"/w", b"/v/depth"):
                client.sendall(message(EVENT, 0, node + b"\0" + b"xensock\0"))
        client.sendall(message(kind, request, got))
    return True


def receive(client, count):
    data = client.recv(count, socket.MSG_WAITALL)
    if len(data) < count:
        raise EOFError
    return data


def serve(client, oddity):
    try:
        while True:
            kind, request, _, length = struct.unpack("<IIII", receive(client, 16))
            words = receive(client, length).split(b"\0")
            if oddity != "silent" and not reply(client, oddity, kind, request, words):
                client.close()
                return
    except (EOFError, OSError):
        client.close()


def listen(oddity):
    listener = socket.socket(socket.AF_UNIX)
    os.mkdir(oddity, 0o700)
    listener.bind(f"{oddity}/xenstore.sock")
    listener.listen(4)
    return listener


def accept(listener, oddity):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], oddity), daemon=True).start()


threads = [threading.Thread(target=accept, args=(listen(oddity), oddity))
           for oddity in sys.argv[1:]]
for one in threads:
    one.start()
print("serving", flush=True)
