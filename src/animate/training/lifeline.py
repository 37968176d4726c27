"""Connections between the ranks of a run, on which every rank notices at once that another has died.

The collectives of a process group notice late or never: gloo only where it waits for that very rank, NCCL
after minutes. A plain TCP connection ends with the process that holds it, however that ends; where a whole
machine is gone, the kernel's keep-alive finds out within :data:`_SILENCE` seconds.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

_PATIENCE = 20.0  # seconds in which all ranks have to be connected
_IDLE, _INTERVAL, _PROBES = 10, 5, 4
_SILENCE = _IDLE + _INTERVAL * _PROBES  # seconds after which a machine counts as gone
_LEFT, _LOST = "left", "lost"


class Address(NamedTuple):
    """Where the first rank listens, and the word by which it knows the ranks of its own run."""

    host: str
    port: int
    token: str


class Listener(Protocol):
    """Is told what becomes of other ranks, each in a thread of its own."""

    def left(self, code: int) -> None:
        """A rank ended with an exit code, and has told why."""

    def lost(self, rank: int) -> None:
        """A rank is gone without a word."""


class Lifeline:
    """One connection between the first rank and each of the others; the first passes on what it hears.

    Args:
        rank: of this process.
        links: the connections of this process, by the rank at their other end.
        token: of the run, the same in all ranks.
        listener: is told of the others.

    """

    def __init__(self, rank: int, links: Mapping[int, socket.socket], token: str, listener: Listener) -> None:
        self.rank, self.token = rank, token
        self._links, self._listener = dict(links), listener
        self._sending = Lock()
        self._closed = False
        for other, link in self._links.items():
            _keep_alive(link)
            Thread(target=self._listen, args=(other, link), daemon=True).start()

    def leave(self, code: int) -> None:
        """Say farewell: what follows is no death."""
        self._closed = True
        self._tell(f"{_LEFT} {code}")
        for link in self._links.values():
            with suppress(OSError):
                link.shutdown(socket.SHUT_WR)  # not closed: what is under way arrives

    def _tell(self, message: str) -> None:
        with self._sending:
            for link in self._links.values():
                with suppress(OSError):  # that one is gone, too
                    link.sendall(f"{message}\n".encode())

    def _listen(self, other: int, link: socket.socket) -> None:
        """Wait for the one message of another rank, or for its end."""
        said = _LOST, other
        with suppress(OSError, ValueError), link.makefile("r") as lines:
            what, number = lines.readline().split()
            said = what, int(number)
        if self._closed:
            return
        if self.rank == 0 and said != (_LEFT, 0):
            self._tell(f"{said[0]} {said[1]}")
        (self._listener.left if said[0] == _LEFT else self._listener.lost)(said[1])


def connect(
    rank: int, ranks: int, host: str, agree: Callable[[Address | None], Address], listener: Listener
) -> Lifeline | None:
    """Connect the ranks of a run; all of them call this at the same time.

    Args:
        rank: of this process.
        ranks: how many there are.
        host: under which the others reach the first rank.
        agree: gives every rank the address that the first one puts in.
        listener: is told of the others.

    Returns:
        None, and a line in the log, where the machines cannot be connected: the run goes on without.

    """
    if rank > 0:
        return _reach(rank, agree(None), listener)
    with socket.create_server(("127.0.0.1" if host == "127.0.0.1" else "", 0), backlog=ranks) as server:
        address = agree(Address(host, server.getsockname()[1], secrets.token_hex(16)))
        try:
            links = _accept(server, ranks, address.token)
        except OSError as error:
            log.warning("the ranks cannot watch over each other: %s", error)
            return None
    return Lifeline(0, links, address.token, listener)


def _accept(server: socket.socket, ranks: int, token: str) -> dict[int, socket.socket]:
    links: dict[int, socket.socket] = {}
    server.settimeout(_PATIENCE)
    while len(links) < ranks - 1:
        link, _ = server.accept()
        link.settimeout(_PATIENCE)
        said = link.recv(64, socket.MSG_WAITALL).decode(errors="replace").split()
        if len(said) == 2 and secrets.compare_digest(said[0], token):
            link.settimeout(None)
            links[int(said[1])] = link
        else:  # a stranger
            link.close()
    return links


def _reach(rank: int, address: Address, listener: Listener) -> Lifeline | None:
    try:
        link = socket.create_connection((address.host, address.port), timeout=_PATIENCE)
        link.sendall(f"{address.token} {rank}".ljust(64).encode())
        link.settimeout(None)
    except OSError as error:
        log.warning("rank %d cannot watch over the others: %s", rank, error)
        return None
    return Lifeline(rank, {0: link}, address.token, listener)


def reachable_host(main_address: str, nodes: int) -> str:
    """Name the first rank's machine for the others: by itself where all ranks are on one."""
    return "127.0.0.1" if nodes == 1 else os.environ.get("MASTER_ADDR", main_address)


def _keep_alive(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", _IDLE), ("TCP_KEEPINTVL", _INTERVAL), ("TCP_KEEPCNT", _PROBES)):
        if hasattr(socket, name):  # macOS names the first otherwise
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
