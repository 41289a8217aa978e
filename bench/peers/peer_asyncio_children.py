"""The Python peer's cases about child processes; the command line is that of peer_asyncio.py, without echo."""

import asyncio
import sys
import time

from peer_asyncio import main

CHILDREN = 500
AT_A_TIME = 32
KIBIBYTES = 100 * 1024


async def start_and_wait(left):
    while left:
        left.pop()
        child = await asyncio.create_subprocess_exec("/bin/true")
        if await child.wait() != 0:
            sys.exit("/bin/true failed")


async def children(count):
    start = time.perf_counter()
    left = [None] * count
    await asyncio.gather(*[start_and_wait(left) for _ in range(AT_A_TIME)])
    return time.perf_counter() - start


async def communicate(count):
    sent = b"x" * (count * 1024)
    start = time.perf_counter()
    child = await asyncio.create_subprocess_exec(
        "/bin/cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    got, _ = await child.communicate(sent)
    if child.returncode != 0 or len(got) != len(sent):
        sys.exit("cat failed")
    return time.perf_counter() - start


CASES = {
    "children": (CHILDREN, children, CHILDREN),
    "communicate": (KIBIBYTES, communicate, KIBIBYTES),
}

if __name__ == "__main__":
    main(sys.argv[1:], CASES, {}, serves_echo=False)
