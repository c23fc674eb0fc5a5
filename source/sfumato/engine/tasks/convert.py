"""The job that turns a pickled model of the models folders into safetensors; the reading happens in a process of its own."""

from __future__ import annotations

import difflib

from sfumato.jobs.context import JobContext
from sfumato.library.models import FOLDERS, scan
from sfumato.library.pickles.conversion import convert
from sfumato.protocol.errors import Invalid, ModelNotFound, Problem
from sfumato.protocol.requests.convert import Convert, ConvertResult


def run(request: Convert, context: JobContext) -> ConvertResult:
    """Convert one file of the models folders, of whatever kind. Raises the errors of `library.pickles.conversion.convert`."""
    if not request.file:
        raise Invalid([Problem("file", "Pickled file is required: name one of the models.")])
    # Checkpoints first: of files of one name in several folders, that one is meant.
    entries = [entry for category in FOLDERS for entry in scan(context.places.models, category)]
    entry = next((entry for entry in entries if request.file in (entry.name, entry.path.name)), None)
    if entry is None:
        raise ModelNotFound("file", request.file, difflib.get_close_matches(request.file, [entry.name for entry in entries], 1), path="file")
    context.progress("convert", 0, 1)
    converted = convert(entry.path, check=context.check)
    context.progress("convert", 1, 1)
    return ConvertResult(name=converted.path.name, tensors=converted.tensors, left_out=converted.left_out, placeholders=converted.placeholders)
