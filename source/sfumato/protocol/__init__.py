"""What can be said: requests, commands, events, errors. Ground floor: pydantic, bson and the standard library only.

Start at `messages.py` for the conversation, `requests/` for the job kinds, `params/` for a single parameter.
"""
