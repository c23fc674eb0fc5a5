"""Upscalers that are models: from a file to an enlarged picture. Rules: E77, E78 of engine, X6 of security.

`reading` opens a file and `kept` keeps what was opened; `builtin` runs ESRGAN and Real-ESRGAN, `spandrel_models` everything else; `tiles` enlarges piece by
piece, `enlarging` to an exact size. Ways that need no file are in `engine.upscaling`.
"""
