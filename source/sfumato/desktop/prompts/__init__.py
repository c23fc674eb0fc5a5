"""The prompts: two boxes with colours, marks, counters and suggestions; styles, history, wildcards, a look ahead; and the networks their tags name."""

from sfumato.desktop.prompts.prompts import Prompts

__all__ = ["Prompts"]
