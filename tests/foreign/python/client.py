"""python-socketio, as it is on PyPI: what it is told on standard input it emits, what it hears it writes on standard
output, a JSON to a line. Arguments: the server's URL, the transports with commas, and "sync" or "asyncio"."""

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


def heard(event, *args):
    with lock:
        print(json.dumps({"event": event, "args": shown(args)}), flush=True)


def said(line):
    said = json.loads(line)
    return said["emit"], tuple(meant(said["args"]))


# Handlers take as many arguments as the server emits, as everybody's do: one more is a TypeError, and nothing is heard.


def sync_client(url, transports):
    client = socketio.Client(reconnection=False)
    client.on("connect", lambda: heard("connect"))
    client.on("none", lambda: heard("none"))
    client.on("one", lambda data: heard("one", data))
    client.on("two", lambda first, second: heard("two", first, second))
    client.on("*", heard)
    client.connect(url, transports=transports)
    for line in sys.stdin:
        client.emit(*said(line))
    client.disconnect()


async def asyncio_client(url, transports):
    client = socketio.AsyncClient(reconnection=False)

    async def connect():
        heard("connect")

    async def none():
        heard("none")

    async def one(data):
        heard("one", data)

    async def two(first, second):
        heard("two", first, second)

    async def other(event, *args):
        heard(event, *args)

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
