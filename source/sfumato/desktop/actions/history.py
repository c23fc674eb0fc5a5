"""What the History page can do."""

from __future__ import annotations

from sfumato.desktop.actions.action import Action

GRID = "history grid"
VIEW = "history view"
COMPARE = "history compare"
BOTH = f"{GRID}, {VIEW}"

ROWS = (
    Action("tab_history", "History page", "Turn to the page of all pictures that were made.", ("Ctrl+3", "F3"), icon="history"),
    Action("history_search", "Search the history", "Go to the search field.", ("Ctrl+F",), scope="history", icon="search"),
    Action("history_open", "Open picture", "Show the picture in full.", ("Return",), scope=GRID, icon="maximize-2"),
    Action("history_all", "Choose all", "Choose every picture that was found.", ("Ctrl+A",), scope=GRID),
    Action("history_compare", "Compare", "Show 2 to 8 chosen pictures beside each other.", ("C",), scope=GRID, icon="columns-2"),
    Action("history_favourite", "Favourite", "Mark the chosen pictures as favourites, or take the mark away.", ("F",), scope=BOTH, icon="heart"),
    Action("history_tag", "Tags", "Give the chosen pictures tags.", ("T",), scope=BOTH, icon="tag"),
    Action(
        "history_import", "Import settings", "Make the parameters like those of the picture.", ("Ctrl+I",), scope=BOTH, icon="file-input", instead="use_image"
    ),
    Action("history_delete", "Delete pictures", "Move the chosen pictures to the trash.", ("Delete",), scope=BOTH, icon="trash-2"),
    Action("history_copy", "Copy files", "Put the chosen files on the clipboard.", ("Ctrl+C",), scope=BOTH, icon="copy"),
    *(
        Action(f"history_rate_{stars}", f"{stars} stars" if stars else "No rating", f"Rate the chosen pictures with {stars}.", (str(stars),), scope=BOTH)
        for stars in range(6)
    ),
    Action("history_larger", "Larger thumbnails", "Show fewer and larger pictures.", ("Ctrl+=", "Ctrl++"), scope="history"),
    Action("history_smaller", "Smaller thumbnails", "Show more and smaller pictures.", ("Ctrl+-",), scope="history"),
    Action("history_close", "Back to the grid", "Close the full view.", ("Esc",), scope=f"{VIEW}, {COMPARE}", icon="x"),
    Action("history_previous", "Previous picture", "Show the picture before this one.", ("Left",), scope=VIEW, icon="chevron-left"),
    Action("history_next", "Next picture", "Show the picture after this one.", ("Right",), scope=VIEW, icon="chevron-right"),
    Action("history_fit", "Fit or 100 %", "Switch between fitting the window and one pixel to one pixel.", ("Z",), scope=f"{VIEW}, {COMPARE}"),
)
