"""Temporary changes to a network: context managers that hold what they add and take exactly that away again, also after an exception."""
