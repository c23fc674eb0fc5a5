"""What can be done with pictures that were made."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

_BOTH = "outputs strip, full view"

ROWS = (
    Action("view_open", "Open picture", "Show the chosen picture in full.", ("Return",), scope="outputs strip", icon="maximize-2"),
    Action("view_close", "Close picture", "Return to the workspace.", ("Esc",), scope="full view", icon="x"),
    Action("view_previous", "Previous picture", "Show the picture to the left.", ("Left",), scope=_BOTH),
    Action("view_next", "Next picture", "Show the picture to the right.", ("Right",), scope=_BOTH),
    Action(
        "view_part_next", "Next of its parts", "Look at what belongs to the picture: inputs, masks, steps on the way.", ("Down",), scope=_BOTH, icon="layers"
    ),
    Action("view_part_previous", "Last of its parts", "Look at the one before of what belongs to the picture.", ("Up",), scope=_BOTH),
    Action("view_newest", "Follow the newest", "Show the newest picture, and each one that comes.", ("End",), scope=_BOTH, icon="radio"),
    Action("view_fit", "Fit or 100 %", "Switch between fitting the window and one pixel to one pixel.", ("Z",), scope="full view"),
    Action("view_details", "Parameters", "Show what the picture was made with, over it.", ("I",), scope="full view", icon="info"),
    Action(
        "view_compare", "Compare", "Lay another picture over this one; the arrows choose it, the line is dragged.", ("C",), scope="full view", icon="columns-2"
    ),
    Action("view_menu", "Menu of the picture", "Show everything that can be done with the picture.", ("Menu", "Shift+F10"), scope=_BOTH, icon="ellipsis"),
    Action("view_copy", "Copy", "Put the file, the picture and its parameters on the clipboard.", ("Ctrl+C",), scope=_BOTH, icon="copy"),
    Action("view_save_as", "Save as", "Write a copy under another name.", (), scope=_BOTH, icon="save"),
    Action("view_copy_to", "Copy to folder", "Put a copy into a folder.", (), scope=_BOTH, icon="folder"),
    Action("view_open_file", "Open", "Open the picture with the program the system has for it.", (), scope=_BOTH, icon="external-link"),
    Action("view_visit", "Show in folder", "Open the folder of the picture.", (), scope=_BOTH, icon="folder-open"),
    Action("use_image", "Use as image", "Start the next picture from this one.", ("Ctrl+I",), icon="image"),
    Action("use_mask", "Use as mask", "Make the picture the mask of the image before it.", (), scope=_BOTH, icon="contrast"),
    Action("use_control", "Use as control", "Let the picture steer the next one.", (), scope=_BOTH, icon="sliders-horizontal"),
    Action("use_seed", "Use seed", "Give the next picture the same seed.", (), scope=_BOTH, icon="dices"),
    Action("use_parameters", "Use parameters", "Choose which of its parameters to take over.", (), scope=_BOTH, icon="clipboard-list"),
    Action("upscale", "Upscale", "Make the picture larger, or mend its faces.", (), scope=_BOTH, icon="scaling"),
    Action("vary", "Vary", "Queue a picture that is a little different from this one.", (), scope=_BOTH, icon="shuffle"),
    Action("view_clear", "Clear", "Remove the picture from the strip; its file stays.", ("Delete",), scope=_BOTH, icon="x"),
    Action("view_clear_right", "Clear to the right", "Remove every older picture from the strip; their files stay.", (), scope=_BOTH, icon="chevron-right"),
    Action("view_trash", "Delete file", "Move the file into the trash and remove the picture from the strip.", ("Shift+Del",), scope=_BOTH, icon="trash-2"),
)
