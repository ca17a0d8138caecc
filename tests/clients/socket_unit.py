"""Stands for systemd with a .socket unit: opens a socket and gives it to each server that it starts, see sd_listen_fds(3).
At SIGTERM it ends the server and starts it again. The arguments are the server's command; in it, 127.0.0.1:0 becomes the
address of the socket."""

import ctypes
import os
import signal
import socket
import subprocess
import sys

listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
address = f"127.0.0.1:{listener.getsockname()[1]}"
command = [address if argument == "127.0.0.1:0" else argument for argument in sys.argv[1:]]
os.dup2(listener.fileno(), 3)
restarts = 0


def become_server():
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.environ["LISTEN_FDS"] = "1"
    # PR_SET_PDEATHSIG: the server ends with this process.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def restart(*_):
    global restarts
    restarts += 1
    server.terminate()


for start in range(1000):
    server = subprocess.Popen(command, pass_fds=[3], preexec_fn=become_server)
    print(f'{{"message":"unit started","start":{start}}}', file=sys.stderr, flush=True)
    signal.signal(signal.SIGTERM, restart)
    code = server.wait()
    print(f'{{"message":"unit ended","code":{code}}}', file=sys.stderr, flush=True)
    if restarts <= start:
        sys.exit(code)
