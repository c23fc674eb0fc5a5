"""What can be done on the canvas."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

SCOPE = "canvas"


def _row(identity: str, title: str, sentence: str, *keys: str, icon: str = "", instead: str = "") -> Action:
    return Action(f"canvas_{identity}", title, sentence, keys, scope=SCOPE, icon=icon, instead=instead)


ROWS = (
    _row("close", "Done", "Return to the page; what was painted stays on the card.", "Esc", icon="check"),
    _row("undo", "Undo on the canvas", "Take back the last change of the canvas.", "Ctrl+Z", icon="undo-2", instead="undo"),
    _row("redo", "Redo on the canvas", "Make the change again that was taken back.", "Ctrl+Y", "Ctrl+Shift+Z", icon="redo-2", instead="redo"),
    _row("brush", "Brush", "Paint; the right button erases.", "B", icon="brush"),
    _row("eraser", "Eraser", "Take paint away.", "E", icon="eraser"),
    _row("fill", "Fill", "Fill what is joined and alike; the right button empties it.", "G", icon="paint-bucket"),
    _row("rectangle", "Rectangle", "Draw a rectangle; Shift makes it a square.", "R", icon="square"),
    _row("ellipse", "Ellipse", "Draw an ellipse; Shift makes it a circle.", "O", icon="circle"),
    _row("lasso", "Lasso", "Draw around a shape of any form.", "L", icon="lasso"),
    _row("move", "Move", "Move what is painted, or what is selected of it.", "V", icon="move"),
    _row("pick", "Pick colour", "Take a colour from the picture; Ctrl and a click does so with any tool.", "I", icon="pipette"),
    _row("smaller", "Smaller brush", "Make the brush smaller.", ",", "["),
    _row("larger", "Larger brush", "Make the brush larger.", ".", "]"),
    _row("swap", "Swap colours", "Change the two colours for each other.", "X", icon="arrow-left-right"),
    _row("select_all", "Select all", "Select the whole canvas.", "Ctrl+A", icon="square-dashed"),
    _row("select_none", "Select nothing", "Let paint go everywhere again.", "Ctrl+D", icon="square-x"),
    _row("invert", "Invert", "Exchange what is selected, or masked, with what is not.", "Ctrl+I", icon="contrast", instead="use_image"),
    _row("clear", "Clear", "Empty the layer, or what is selected of it.", "Delete", icon="trash-2"),
    _row("zoom", "Fit or 100 %", "Switch between fitting the window and one pixel to one pixel.", "Z", icon="scan"),
    _row("add_layer", "New layer", "Put an empty layer above this one.", "Ctrl+Shift+N", icon="plus"),
    _row("save", "Save a copy", "Save what is seen as a picture of its own; the card's file stays as it is.", "Ctrl+S", icon="save", instead="save_preset"),
)
