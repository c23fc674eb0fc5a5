"""The engine: the only code that imports torch. Nothing is imported here, so that naming a handler costs nothing.

Start reading at `tasks/generate.py`, which tells a job from its request to its pictures; `family.py` is the seam between models and methods.
"""
