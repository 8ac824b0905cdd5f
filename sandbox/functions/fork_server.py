"""The two programs of `preloaded`: one has a function's modules and forks for each that asks, the other asks and lasts as long as its fork.

They know the standard library and the asset alone. What asks runs once for each cold start, so it imports little.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_MOST_BYTES = 1 << 16


def ask(address: str, handler: str) -> None:
    """Have a fork run the handler with this process's variables, output and process group, and end when it ends."""
    told = {"handler": handler, "variables": dict(os.environ), "group": os.getpgrp()}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(told).encode()], [sys.stdout.fileno()])
        connection.recv(1)  # the fork holds the other end


def serve(listening: int, module: str) -> None:
    """Import the module, then fork for each that asks. Returns in the forks alone, when the runtime client has come to its end."""
    import gc
    import importlib
    import runpy
    import signal
    import time
    from pathlib import Path

    sys.path.insert(0, str(Path.cwd()))  # as with `-m`
    importlib.import_module(module)  # not the runtime client, which reads where its API is as it is imported
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    listener = socket.socket(fileno=listening)
    while True:
        connection, _ = listener.accept()
        message, (output,), *_ = socket.recv_fds(connection, _MOST_BYTES, 1)
        if os.fork() == 0:
            break
        connection.close()
        os.close(output)
    listener.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told = json.loads(message)
    os.setpgid(0, told["group"])
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.environ.clear()
    os.environ.update(told["variables"])
    time.tzset()
    sys.argv = ["awslambdaric", told["handler"]]
    runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        ask(sys.argv[2], sys.argv[3])
