"""Reserves ports of the loopback interface for programs that need one as an argument."""

import socket


def reserved_port() -> int:
    """A port that no other process is given before a program listens on it.

    The side that closes a connection first keeps its port in TIME_WAIT for a minute. The kernel assigns such a port to no other socket,
    but lets a program listen on it that names it with SO_REUSEADDR, as every Go server does.
    Source: https://github.com/Yelp/ephemeral-port-reserve
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        accepted.close()
        return int(listener.getsockname()[1])
