"""What can be done in the pose editor."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

SCOPE = "pose"


def _row(identity: str, title: str, sentence: str, *keys: str, icon: str = "", instead: str = "") -> Action:
    return Action(f"pose_{identity}", title, sentence, keys, scope=SCOPE, icon=icon, instead=instead)


ROWS = (
    _row("close", "Done", "Return to the page; the pose stays on the card.", "Esc", icon="check"),
    _row("undo", "Undo in the pose editor", "Take back the last change of the pose.", "Ctrl+Z", icon="undo-2", instead="undo"),
    _row("redo", "Redo in the pose editor", "Make the change again that was taken back.", "Ctrl+Y", "Ctrl+Shift+Z", icon="redo-2", instead="redo"),
    _row("add", "New pose", "Put one more person into the middle.", "Ctrl+N", icon="plus"),
    _row("select_all", "Select all joints", "Choose every joint of everybody.", "Ctrl+A", icon="square-dashed"),
    _row("attach", "Attach missing joints", "Give those who are chosen, else everybody, the joints they lack.", "Ctrl+F", icon="waypoints"),
    _row("delete", "Delete joints", "Delete the chosen joints; a person without any goes.", "Delete", "Backspace", icon="trash-2"),
    _row("flip_across", "Flip left and right", "Mirror what is chosen, else everybody.", "H", icon="flip-vertical-2"),
    _row("flip_down", "Flip top and bottom", "Turn what is chosen, else everybody, upside down.", "V", icon="flip-horizontal-2"),
    _row("mode", "Bend limbs", "Move joints alone, or bend limbs with what hangs on them; Alt alone does so too.", "T", icon="spline"),
    _row("find", "Find people", "Look for people in the picture of the card.", "P", icon="scan-search"),
    _row("export", "Export", "Save the pose as a picture that carries it, or as OpenPose's JSON.", "Ctrl+S", icon="save", instead="save_preset"),
    _row("import", "Import", "Take the pose of a file.", "Ctrl+O", icon="folder-open"),
    _row("fit", "Fit", "Show the whole map.", "Z", icon="scan"),
)
