"""The job that turns a pickled model of the models folders into safetensors; the reading happens in a process of its own."""

from __future__ import annotations

from sfumato.jobs.context import JobContext
from sfumato.library.models import locate_any
from sfumato.library.pickles.conversion import convert
from sfumato.protocol.errors import Invalid, Problem
from sfumato.protocol.requests.convert import Convert, ConvertResult


def run(request: Convert, context: JobContext) -> ConvertResult:
    """Convert one file of the models folders, of whatever kind. Raises the errors of `library.pickles.conversion.convert`."""
    if not request.file:
        raise Invalid([Problem("file", "Pickled file is required: name one of the models.")])
    path = locate_any(context.places.models, request.file)
    context.progress("convert", 0, 1)
    converted = convert(path, check=context.check)
    context.progress("convert", 1, 1)
    return ConvertResult(name=converted.path.name, tensors=converted.tensors, left_out=converted.left_out, placeholders=converted.placeholders)
