"""The History page: every picture that was made. Start at `history.History`."""

from sfumato.desktop.history.history import History

__all__ = ["History"]
