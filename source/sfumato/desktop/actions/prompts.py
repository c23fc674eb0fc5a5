"""What the prompts can do."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

ROWS = (
    Action("weight_up", "More weight", "Raise the weight of the selection, or of the bracket, tag or word at the cursor.", ("Ctrl+Up",), scope="prompt"),
    Action("weight_down", "Less weight", "Lower the weight of the selection, or of the bracket, tag or word at the cursor.", ("Ctrl+Down",), scope="prompt"),
    Action("part_left", "Part to the left", "Move the part between commas before its neighbour.", ("Alt+Left",), scope="prompt"),
    Action("part_right", "Part to the right", "Move the part between commas behind its neighbour.", ("Alt+Right",), scope="prompt"),
    Action("suggest", "Suggest", "List what can be meant here.", ("Ctrl+Space",), scope="prompt"),
    Action("prompt_previous", "Last prompt", "Bring back the prompts of the job before.", ("Alt+Up",), scope="generate, prompt"),
    Action("prompt_next", "Next prompt", "Go forward again in the history of prompts.", ("Alt+Down",), scope="generate, prompt"),
    Action("prompt_styles", "Styles", "Choose and edit styles, texts that are put around the prompts.", (), menu="Edit", icon="swatch-book"),
    Action("prompt_history", "Prompt history", "Search the prompts of earlier jobs.", (), menu="Edit", icon="history"),
    Action("prompt_wildcards", "Wildcards", "Insert, write and mark the lists that __name__ picks from.", (), menu="Edit", icon="asterisk"),
    Action("prompt_expand", "Look ahead", "Show what the next pictures get from wildcards and choices.", (), menu="Edit", icon="telescope"),
    Action("negative_prompt", "Negative prompt", "Show or hide the negative prompt; it is sent in any case.", (), menu="View", icon="eye"),
    Action("autocomplete", "Autocomplete", "Suggest names while a prompt is typed, or only when asked.", (), menu="View", icon="list-filter"),
)
