"""Resolve, connect, and go on to the next instance when one does not answer.

    python3 lookup.py web.service.internal 8080

The addresses come in the order of the answer, a new one for each lookup; Python keeps nothing
between two of them. `socket.create_connection` tries them one after the other, as the second part
does by hand to say which one it was.
"""

import socket
import sys
import urllib.request


def addresses(name):
    """All addresses of a name, each once, in the order in which to try them."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return [address[0] for *_, address in found]


def fetch(name, port):
    """What the first instance that answers has to say. Resolves anew for each request."""
    with urllib.request.urlopen(f"http://{name}:{port}/", timeout=2) as reply:
        return reply.read().decode().strip()


if __name__ == "__main__":
    try:
        print(*addresses(sys.argv[1]))
    except socket.gaierror as error:
        # EAI_NONAME: there is no such service. EAI_NODATA: it has no instance, or not of this
        # family; "come back later" to a client that knows the name to be right.
        codes = {socket.EAI_NONAME: 2, socket.EAI_NODATA: 3, socket.EAI_AGAIN: 4}
        print(error, file=sys.stderr)
        sys.exit(codes.get(error.errno, 1))
    if len(sys.argv) > 2:
        print(fetch(sys.argv[1], sys.argv[2]))
