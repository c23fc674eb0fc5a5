"""Sharing the engine of this computer from the window."""

from sfumato.desktop.host.desk import HostDesk

__all__ = ["HostDesk"]
