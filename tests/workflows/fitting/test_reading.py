"""Workspaces on servers: one that answers, and one that says nothing."""

from __future__ import annotations

import socket

import pytest

from hepgrad.workflows import InputError
from hepgrad.workflows.fitting.reading import read_bytes
from hepgrad.workflows.read.servers import web


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(web, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/workspace.json"
        with pytest.raises(InputError, match=f"{address} cannot be read: .*[Tt]imeout"):
            read_bytes(address, "workspace")
