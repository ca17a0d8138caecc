"""An unmodified python-socketio client. It emits the events that it reads from standard input, and writes the events that
it receives to standard output, one JSON per line. Arguments: the server's URL, the transports separated by commas, and
"sync" or "asyncio"."""

import asyncio
import json
import sys
import threading

import socketio

lock = threading.Lock()


def shown(value):
    """Bytes as JSON has none."""
    if isinstance(value, bytes):
        return {"bytes": value.hex()}
    if isinstance(value, (list, tuple)):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return value


def meant(value):
    """The other way around."""
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"]) if set(value) == {"bytes"} else {key: meant(value[key]) for key in value}
    return [meant(item) for item in value] if isinstance(value, list) else value


def received(event, *args):
    with lock:
        print(json.dumps({"event": event, "args": shown(args)}), flush=True)


def said(line):
    said = json.loads(line)
    return said["emit"], tuple(meant(said["args"]))


# Handlers take exactly the arguments that the server emits, as usual: with one more, the call is a TypeError.


def sync_client(url, transports):
    client = socketio.Client(reconnection=False)
    client.on("connect", lambda: received("connect"))
    client.on("none", lambda: received("none"))
    client.on("one", lambda data: received("one", data))
    client.on("two", lambda first, second: received("two", first, second))
    client.on("*", received)
    client.connect(url, transports=transports)
    for line in sys.stdin:
        client.emit(*said(line))
    client.disconnect()


async def asyncio_client(url, transports):
    client = socketio.AsyncClient(reconnection=False)

    async def connect():
        received("connect")

    async def none():
        received("none")

    async def one(data):
        received("one", data)

    async def two(first, second):
        received("two", first, second)

    async def other(event, *args):
        received(event, *args)

    for name, handler in {"connect": connect, "none": none, "one": one, "two": two, "*": other}.items():
        client.on(name, handler)
    await client.connect(url, transports=transports)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await client.emit(*said(line))
    await client.disconnect()


url, transports, kind = sys.argv[1], sys.argv[2].split(","), sys.argv[3]
if kind == "sync":
    sync_client(url, transports)
else:
    asyncio.run(asyncio_client(url, transports))
