"""Workspaces on servers: one that answers, and one that says nothing."""

from __future__ import annotations

import socket
from typing import Any, ClassVar

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from hepgrad.workflows import InputError
from hepgrad.workflows.fitting.reading import read_bytes
from hepgrad.workflows.read.servers import web


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/workspace.json"
        with pytest.raises(InputError, match=f"{address} cannot be read: .*[Tt]imeout"):
            read_bytes(address, "workspace")


class Patient(MemoryFileSystem):
    """Stands for XRootD, whose client waits for half an hour unless it is told otherwise."""

    asked: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, **options):
        self.asked.append(options)
        super().__init__(**options)

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + path.rpartition("//")[2]


def test_a_server_of_the_grid_is_waited_for_half_a_minute(monkeypatch):
    monkeypatch.setitem(_registry, "root", Patient)
    monkeypatch.setattr(Patient, "store", {})
    Patient().pipe_file("/workspace.json", b"{}")
    assert read_bytes("root://server.example//workspace.json", "workspace") == b"{}"
    assert Patient.asked[-1]["timeout"] == 30
