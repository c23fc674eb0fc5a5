"""Networks that people add to a model: LoRA and its relatives, and hypernetworks.

`file.py` opens a file for a loaded model and is where to start; `names.py` finds the layer that a key means, `leaves.py` reads what a tensor is from the end
of its key; `delta.py`, `kinds.py`, `rotations.py` and `around.py` are the mathematics; `description.py` says what a file is by its header alone.
"""
