"""What can be done with jobs that wait, run or have ended."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

PANEL = "queue"

ROWS = (
    Action("generate_first", "Put in front", "Make the picture before everything that waits.", ("Ctrl+Shift+Return",), icon="arrow-up-to-line"),
    Action("generate_forever", "Generate forever", "Generate again and again with what the controls hold, until this is switched off.", (), icon="infinity"),
    Action("queue", "Queue", "Show or hide the list of jobs.", ("Ctrl+J",), menu="View", icon="list-ordered"),
    Action("queue_pause", "Pause the queue", "Let the running job finish and hold the others, or go on.", ("Ctrl+Shift+J",), icon="pause"),
    Action("queue_pause_now", "Pause now", "Stop the running job as well; it goes on where it was.", (), icon="circle-pause"),
    Action("queue_retry_all", "Retry all", "Queue every job that failed or was cancelled again.", (), icon="rotate-ccw"),
    Action("queue_clear_done", "Clear done", "Take the ended jobs off the list; pictures stay.", (), icon="list-x"),
    Action("queue_up", "Move up", "Let the chosen jobs run earlier.", ("Alt+Up",), PANEL, icon="arrow-up"),
    Action("queue_down", "Move down", "Let the chosen jobs run later.", ("Alt+Down",), PANEL, icon="arrow-down"),
    Action("queue_front", "Put first", "Let the chosen jobs run before the others.", ("Alt+Home",), PANEL, icon="arrow-up-to-line"),
    Action("queue_edit", "Edit", "Load the parameters of the chosen job into the controls.", ("Return",), PANEL, icon="pencil"),
    Action("queue_hold", "Pause grid", "Let the chosen grid wait while other jobs go on, or continue it.", ("Space",), PANEL, icon="circle-pause"),
    Action("queue_duplicate", "Duplicate", "Queue the chosen jobs once more.", ("Ctrl+D",), PANEL, icon="copy-plus"),
    Action("queue_retry", "Retry", "Queue the chosen jobs again with the same parameters and seed.", ("R",), PANEL, icon="rotate-ccw"),
    Action("queue_here", "Run here", "Let the chosen jobs that wait for another computer run on the one the window works with.", ("H",), PANEL, icon="import"),
    Action("queue_cancel", "Cancel job", "Cancel the chosen jobs.", ("Backspace",), PANEL, icon="stop"),
    Action("queue_remove", "Remove", "Take the chosen jobs off the list; pictures stay.", ("Delete",), PANEL, icon="trash-2"),
    Action("queue_select_all", "Select all", "Choose every job of the list.", ("Ctrl+A",), PANEL),
    Action("queue_close", "Close queue", "Hide the list of jobs.", ("Esc",), PANEL),
)
