"""Image prompts (IP-Adapters): pictures that are read as the text is, by keys and values of their own beside those of the text.

`shapes` tells by the header what an adapter is, `encoders` what an image encoder is, `projections` and `vision` are their networks, `attention` is what acts
in a pass. To a job they are control models: `kinds` has their rows, `loading` brings them into memory. Rule: E83.
"""
