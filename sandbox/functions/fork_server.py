"""The two programs of `preloaded_runtime`: `serve` imports a function's modules and forks on request, `ask` requests a fork.

They use only the standard library and the asset. `ask` runs once for each cold start and ends with its fork, so it imports little.
"""

from __future__ import annotations

import json
import os
import socket
import sys

_MOST_BYTES = 1 << 16


def ask(address: str, handler: str, client: str) -> None:
    """Let a fork run the handler with the variables, output and process group of this process, and end when the fork ends."""
    request = {"handler": handler, "client": client, "variables": dict(os.environ), "group": os.getpgrp()}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [json.dumps(request).encode()], [sys.stdout.fileno()])
        connection.recv(1)  # the fork holds the other end until it ends


def serve(listening: int, module: str) -> None:
    """Import the module, then fork for each request. Returns only in the forks, when the runtime client has ended."""
    import gc
    import importlib
    import runpy
    import signal
    import time
    from pathlib import Path

    sys.path.insert(0, str(Path.cwd()))  # as with `-m`
    importlib.import_module(module)  # not the runtime client, which reads the address of its API at import
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no process waits for the forks
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
    request = json.loads(message)
    os.setpgid(0, request["group"])
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    os.environ.clear()
    os.environ.update(request["variables"])
    time.tzset()
    sys.argv = [request["client"], request["handler"]]
    runpy.run_module(request["client"], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]), sys.argv[3])
    else:
        ask(*sys.argv[2:])
