"""Brings Sfumato up: finds the virtual environment, installs what the chosen mode needs, starts the program.

Standard library only, because it runs before anything is installed; `choose.py` alone is different: it is started with the Python of the virtual
environment, after the GUI toolkit is there. Read `__main__.py` first: it is the order of events.
"""
