"""The Models page: what there is, finding it, using it, keeping it in order."""

from sfumato.desktop.models.part import Models

__all__ = ["Models"]
