"""Every picture that was made, found again: an index on disk of what the pictures tell of themselves, and a language to search it.

Start at `index.Index`. The index is only a copy of what the files say and can be deleted; what a person thinks of a picture is kept in `opinions`.
"""
