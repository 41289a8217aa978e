"""The Python peer's cases about tasks; the command line is that of peer_asyncio.py, without echo."""

import asyncio
import sys
import time

from peer_asyncio import IDLE_ACTORS, main, resident_per_task

# A tenth of what the other languages arm, within a tenth of the second, so that as many are due at a time.
TIMERS = 100_000
FIRE_WITHIN = 10**8
HOUR = 3600 * 10**9
STREAM_ROOM = 1024


async def successor(value):
    return value + 1


async def task(count):
    start = time.perf_counter()
    value = 0
    while value != count:
        value = await asyncio.create_task(successor(value))
    return time.perf_counter() - start


async def timed(*bodies):
    """The seconds that tasks of these coroutines took, all together."""
    start = time.perf_counter()
    for each in [asyncio.create_task(body) for body in bodies]:
        await each
    return time.perf_counter() - start


async def yield_often(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def yield_both(count):
    return await timed(yield_often(count // 2), yield_often(count // 2))


async def serve_all(out, back, count):
    value = 0
    while value < count:
        await out.put(value + 1)
        value = await back.get()


async def return_all(incoming, back, count):
    value = 0
    while value < count:
        value = await incoming.get() + 1
        await back.put(value)


async def queue(count):
    there, back = asyncio.Queue(1), asyncio.Queue(1)
    return await timed(serve_all(there, back, count), return_all(there, back, count))


async def put_all(to, count):
    for i in range(1, count + 1):
        await to.put(i)


async def get_all(items, count):
    total = 0
    for _ in range(count):
        total += await items.get()
    return total


async def stream(count):
    items = asyncio.Queue(STREAM_ROOM)
    return await timed(put_all(items, count), get_all(items, count))


async def lock(count):
    mutex = asyncio.Lock()
    start = time.perf_counter()
    for _ in range(count):
        await mutex.acquire()
        mutex.release()
    return time.perf_counter() - start


async def to_thread(count):
    start = time.perf_counter()
    for _ in range(count):
        await asyncio.to_thread(int)
    return time.perf_counter() - start


def random_delays(count, below):
    """Seconds below so many nanoseconds, by Marsaglia's xorshift."""
    delays = []
    state = 88172645463325252
    for _ in range(count):
        state ^= state << 13 & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 7
        state ^= state << 17 & 0xFFFFFFFFFFFFFFFF
        delays.append(state % below / 1e9)
    return delays


async def fire(delays):
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    left = len(delays)

    def fired():
        nonlocal left
        left -= 1
        if left == 0:
            done.set_result(None)

    start = time.process_time()
    for delay in delays:
        loop.call_later(delay, fired)
    await done
    return time.process_time() - start


async def fire_timers():
    """As many warm up."""
    await fire(random_delays(TIMERS, FIRE_WITHIN))
    return await fire(random_delays(TIMERS, FIRE_WITHIN)) / TIMERS * 1e9


async def arm_timers(count):
    """asyncio throws cancelled timers away in its next round, which belongs to what they cost."""
    loop = asyncio.get_running_loop()
    delays = [(HOUR / 1e9) + delay for delay in random_delays(count, HOUR)]
    start = time.perf_counter()
    handles = [loop.call_later(delay, int) for delay in delays]
    for handle in handles:
        handle.cancel()
    await asyncio.sleep(0)
    return time.perf_counter() - start


async def sleeping():
    return await resident_per_task(lambda: asyncio.sleep(3600), IDLE_ACTORS)


CASES = {
    "task": (1 << 20, task),
    "yield": (1 << 20, yield_both),
    "queue": (1 << 20, queue),
    "stream": (1 << 20, stream),
    "lock": (1 << 22, lock),
    "to_thread": (1 << 20, to_thread, 256),
    "timers-arm": (TIMERS, arm_timers, TIMERS),
}
OTHER_CASES = {"timers-fire": ("ns", fire_timers), "sleeping": ("bytes", sleeping)}

if __name__ == "__main__":
    main(sys.argv[1:], CASES, OTHER_CASES, serves_echo=False)
