"""Model files on their way to, from and between machines, as the window lists them. Start reading at part.py."""
