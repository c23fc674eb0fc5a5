"""The inputs of the Generate page: cards of pictures that a job starts from, is masked by, or is steered by.

Start at `strip.InputStrip`, which the window knows as `studio.inputs`. A card is `cards.Card`; what belongs to what is said in `linking`, which kind of job the
cards make in `modes`, what of a picture is taken in `crops`, what is sent in `sending`.
"""

# Parameters of a job that the strip gives, and that the form therefore has no rows for.
OWNED = frozenset({"image", "mask", "control", "areas"})
