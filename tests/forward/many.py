"""Many connections at the same time: many.py serve|talk|hold|stay PORT COUNT

serve: greets each, and echoes nothing before all are there. talk: sends each its own bytes, wants
them back, and only then ends. hold: does not end by itself, and wants to see each of them break;
stay: or end. No more are ever on their way to the server than the backlogs between have room for.
"""
import asyncio
import random
import resource
import sys

WHAT, PORT, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
PATIENCE = 20
BYTES = 20000
COMING = 8


def contents(number):
    return random.Random(number).randbytes(BYTES)


async def serve():
    over, everyone = asyncio.Event(), asyncio.Event()
    begun = ended = 0

    async def one(reader, writer):
        nonlocal begun, ended
        begun += 1
        writer.write(b"!")
        if begun == COUNT:
            print("all are here", flush=True)
            everyone.set()
        await everyone.wait()
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except ConnectionResetError:
            print("reset", flush=True)
        writer.close()
        ended += 1
        if ended == COUNT:
            over.set()

    server = await asyncio.start_server(one, "127.0.0.1", PORT, backlog=COUNT)
    async with server:
        await over.wait()


async def connection(number, coming, gate):
    async with coming:
        reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
        assert await reader.readexactly(1) == b"!"
    writer.write(contents(number))
    got = await reader.readexactly(BYTES)
    assert got == contents(number), f"connection {number} has other bytes"
    await gate.wait()
    if WHAT != "talk":
        try:
            assert await reader.read(1) == b"" and WHAT == "stay", f"connection {number} did not break"
        except ConnectionResetError:
            pass
        return
    writer.close()
    assert await reader.read(1) == b""


async def talk():
    gate = asyncio.Barrier(COUNT + 1)
    coming = asyncio.Semaphore(COMING)
    all_of_them = [asyncio.create_task(connection(number, coming, gate))
                   for number in range(COUNT)]
    waiting = asyncio.create_task(gate.wait())
    await asyncio.wait([waiting, *all_of_them], return_when=asyncio.FIRST_COMPLETED)
    if waiting.done():
        print("all have echoed", flush=True)
    await asyncio.gather(waiting, *all_of_them)


resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
asyncio.run(asyncio.wait_for(serve() if WHAT == "serve" else talk(), PATIENCE))
