"""The Python peer: an actor is a task, its mailbox an asyncio.Queue.

    peer_asyncio.py [--uvloop] CASE --loops 1 [--seconds S]
    peer_asyncio.py [--uvloop] --list
    peer_asyncio.py [--uvloop] echo --port N [--impl NAME]

The cases about tasks are in peer_asyncio_tasks.py.

One thread only: the interpreter lock leaves nothing to gain from a second one. The echo server
exists twice: with streams, the API people use, and as a protocol class, the quickest one can be.
"""

import asyncio
import os
import sys
import time

CHUNK = 256
RING_SIZE = 1000
IDLE_ACTORS = 200_000
BUFFER_SIZE = 16384


async def per_operation(seconds, limit, run, first=8 * CHUNK):
    """Nanoseconds per operation; run(n) returns the seconds that n operations took.

    The count doubles from `first` until a run is long enough to be believed, which is also the
    warm-up; then runs are added up until so many seconds have been measured.
    """
    count = first
    while await run(count) < seconds / 8 and count * 2 <= limit:
        count *= 2
    total = operations = 0
    while total < seconds:
        total += await run(count)
        operations += count
    return total / operations * 1e9


async def cancel_all(tasks):
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def pass_on(inbox, following, done):
    while True:
        left = await inbox.get() - 1
        if left == 0:
            done.set_result(None)
            return
        following.put_nowait(left)


def ring(size):
    async def run(count):
        done = asyncio.get_running_loop().create_future()
        inboxes = [asyncio.Queue() for _ in range(size)]
        tasks = [
            asyncio.create_task(pass_on(inbox, inboxes[(i + 1) % size], done))
            for i, inbox in enumerate(inboxes)
        ]
        await asyncio.sleep(0)
        start = time.perf_counter()
        inboxes[0].put_nowait(count)
        await done
        took = time.perf_counter() - start
        await cancel_all(tasks)
        return took

    return run


async def receive_all(inbox, count):
    total = 0
    for _ in range(count):
        total += await inbox.get()
    return total


async def send_all(inbox, count):
    for i in range(1, count + 1):
        inbox.put_nowait(i)
        if i % CHUNK == 0:
            await asyncio.sleep(0)


def fan_in(senders):
    async def run(count):
        inbox = asyncio.Queue()
        start = time.perf_counter()
        tasks = [asyncio.create_task(send_all(inbox, count // senders)) for _ in range(senders)]
        await receive_all(inbox, count)
        took = time.perf_counter() - start
        await asyncio.gather(*tasks)
        return took

    return run


async def answer_all(inbox):
    while True:
        value, reply = await inbox.get()
        reply.set_result(value + 1)


async def ask(count):
    loop = asyncio.get_running_loop()
    inbox = asyncio.Queue()
    server = asyncio.create_task(answer_all(inbox))
    start = time.perf_counter()
    value = 0
    while value < count:
        reply = loop.create_future()
        inbox.put_nowait((value, reply))
        value = await reply
    took = time.perf_counter() - start
    await cancel_all([server])
    return took


class Alive:
    """Counts deaths; the last one sets the future."""

    def __init__(self, count):
        self.left = count
        self.none = asyncio.get_running_loop().create_future()

    def died(self):
        self.left -= 1
        if self.left == 0:
            self.none.set_result(None)


async def die_after_one(inbox, alive):
    await inbox.get()
    alive.died()


async def spawn(count):
    alive = Alive(count)
    keep = set()
    start = time.perf_counter()
    for i in range(1, count + 1):
        inbox = asyncio.Queue()
        task = asyncio.create_task(die_after_one(inbox, alive))
        keep.add(task)  # as the documentation of create_task wants it
        task.add_done_callback(keep.discard)
        inbox.put_nowait(i)
        if i % CHUNK == 0:
            await asyncio.sleep(0)
    await alive.none
    return time.perf_counter() - start


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def idle_actor(inbox):
    state = 0
    while True:
        state += await inbox.get()


async def resident_per_task(body, count):
    """Resident bytes of a task of body()."""
    before = resident_bytes()
    tasks = [asyncio.create_task(body()) for _ in range(count)]
    await asyncio.sleep(0)
    return (resident_bytes() - before) / len(tasks)


async def idle():
    return await resident_per_task(lambda: idle_actor(asyncio.Queue()), IDLE_ACTORS)


async def serve_stream(reader, writer):
    try:
        while data := await reader.read(BUFFER_SIZE):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


class EchoProtocol(asyncio.BufferedProtocol):
    """Brings its own buffer: asyncio.Protocol makes room for 256 KiB before every read."""

    def connection_made(self, transport):
        self.transport = transport
        self.buffer = memoryview(bytearray(BUFFER_SIZE))

    def get_buffer(self, sizehint):
        return self.buffer

    def buffer_updated(self, size):
        self.transport.write(bytes(self.buffer[:size]))  # a copy: the transport may keep it


async def serve_echo(port, with_protocol):
    if with_protocol:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(EchoProtocol, "127.0.0.1", port, backlog=128)
    else:
        server = await asyncio.start_server(serve_stream, "127.0.0.1", port, backlog=128)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


CASES = {
    "pingpong": (1 << 20, ring(2)),
    "fanin1": (1 << 20, fan_in(1)),
    "fanin8": (1 << 20, fan_in(8)),
    "ask": (1 << 20, ask),
    "spawn": (1 << 17, spawn),
    "ring": (1 << 20, ring(RING_SIZE)),
}


# Figures that are no mean of repetitions: the unit, and who measures.
OTHER_CASES = {"idle": ("bytes", idle)}


def usage():
    sys.exit("usage: PEER [--uvloop] CASE --loops 1 [--seconds S] | --list | echo --port N")


def run(coroutine, use_uvloop):
    if not use_uvloop:
        return asyncio.run(coroutine)
    import uvloop

    uvloop.install()
    return asyncio.run(coroutine)


async def measure(case, options, impl, cases, other_cases):
    if case in cases:
        unit = "ns"
        value = await per_operation(float(options.get("--seconds", "0.3")), *cases[case])
    else:
        unit, body = other_cases[case]
        value = await body()
    print(f"{case} {impl} 1 {unit} {value:.2f}", flush=True)
    os._exit(0)  # cancelling the tasks that are left would take ten times longer than the case


def main(arguments, cases, other_cases, serves_echo):
    use_uvloop = "--uvloop" in arguments
    arguments = [argument for argument in arguments if argument != "--uvloop"]
    impl = "uvloop" if use_uvloop else "asyncio"
    if arguments == ["--list"]:
        for case in [*cases, *other_cases]:
            print(case, impl, 1)
        for case in ["echo64", "echo16k"] if serves_echo else []:
            print(case, impl, 1)
            print(case, impl + "-protocol", 1)
        return
    if len(arguments) % 2 == 0:
        usage()
    case = arguments[0]
    options = dict(zip(arguments[1::2], arguments[2::2]))
    if case == "echo" and serves_echo:
        with_protocol = options.get("--impl", impl).endswith("-protocol")
        run(serve_echo(int(options["--port"]), with_protocol), use_uvloop)
    elif options.get("--loops", "1") != "1":
        sys.exit("there is one loop only")
    elif case in cases or case in other_cases:
        run(measure(case, options, impl, cases, other_cases), use_uvloop)
    else:
        usage()


if __name__ == "__main__":
    main(sys.argv[1:], CASES, OTHER_CASES, serves_echo=True)
