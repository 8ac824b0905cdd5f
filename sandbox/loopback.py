"""Ports of the loopback interface for programs that must be told one."""

import socket


def reserved_port() -> int:
    """A port that nobody else is given before a program has been started to listen on it.

    The end of a connection that closes first keeps its port in TIME_WAIT for a minute: the kernel hands it to nobody who asks for any,
    and lets those listen on it who name it, with SO_REUSEADDR, as every server of Go does.
    Source: https://github.com/Yelp/ephemeral-port-reserve
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        accepted.close()
        return int(listener.getsockname()[1])
