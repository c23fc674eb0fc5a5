"""Every way a job or a file can fail, each with one sentence for a person.

    SfumatoError                    code                 HTTP
    ├── Invalid                     invalid              422   a request with bad fields, all of them named
    ├── JobNotFound                 job_not_found        404   a job nobody submitted, or somebody else's
    ├── ModelNotFound               model_not_found      404
    ├── FileTrouble
    │   ├── CorruptFile             corrupt_file         422
    │   ├── PickleRefused           pickle_refused       422
    │   ├── ConversionRefused       conversion_refused   422   a pickle that holds more, or less, than weights
    │   ├── ModelUnsupported        model_unsupported    422
    │   ├── ModelIncomplete         model_incomplete     422
    │   ├── ModelIncompatible       model_incompatible   422
    │   ├── ImageUnreadable         image_unreadable     422
    │   ├── ChecksumDiffers         checksum             409
    │   ├── NameTaken               name_taken           409   a file of that name is there, and stays
    │   ├── TransferDamaged         transfer_damaged     409   a file that arrived other than it was announced; it is gone again
    │   ├── TransferIncomplete      transfer_incomplete  409   a file of which a part arrived, which is kept
    │   ├── FileBusy                file_busy            409   a file that somebody is still writing
    │   └── SecretsUnusable         secrets_unusable     500   the file with this machine's secrets
    ├── AddressRefused              address_refused      422   an address from outside that is not fetched
    ├── DownloadFailed              download_failed      502   a server elsewhere that does not give a file
    ├── QuotaExceeded               quota                429   more unfinished transfers than one may have
    ├── OutOfMemory                 out_of_memory        507
    ├── NumbersInvalid              nan                  500
    ├── MissingPackage              missing_package      501
    ├── DiskFull                    disk_full            507
    ├── NotWritable                 not_writable         507
    ├── Forbidden                   forbidden            403
    ├── TooManyJobs                 too_many_jobs        429
    ├── SessionExpired              session_expired      410   results that waited too long, or were too many, to be kept
    ├── BadFrame                    bad_frame            400   bytes that are no message
    ├── UnsafeName                  unsafe_name          422   a name from outside that leaves its folder
    ├── LinkRefused                 link_refused         422   a connection link or endpoint that is not plainly one
    ├── DeviceLost                  device_lost          503
    ├── WorkerDied                  worker_died          503
    ├── EngineUnavailable           engine_unavailable   503   the engine process cannot even start
    ├── PortTaken                   port_taken           503   the relay cannot listen where it should
    ├── LineTrouble                                            why there is no line to another machine
    │   ├── HostNotFound            host_not_found       502   its name is not found
    │   ├── PortRefused             port_refused         502   nothing listens there
    │   ├── NotASfumatoServer       not_sfumato          502   something else answers there
    │   ├── SecretRefused           secret_refused       401
    │   ├── VersionRefused          version_refused      426   it speaks no version that is spoken here
    │   ├── CertificateRefused      certificate_refused  502   nobody vouches for it, and the user did not
    │   ├── ServerChanged           server_changed       502   it was set up anew, and the user did not agree to go on
    │   ├── ServerUnsafe            server_unsafe        502   it asks or says what no server should
    │   └── LineLost                line_lost            503   tried again by itself
    └── Internal                    internal             500

`Stopped` is no error: a handler raises it (through its context) when its job was cancelled.
Sentences live in the classes below and nowhere else; facts fill them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

# Advice of errors that end the engine; who runs the job again leaves it out.
RUN_AGAIN = "; run the job again."


class Stopped(Exception):
    """The job was cancelled; the runner turns it into `Cancelled`."""


class SfumatoError(Exception):
    """A failure with a code for programs and a sentence for people.

    Attributes:
        ends_engine: after it the process that worked can do nothing more, and ends itself on purpose.
        message: the sentence.
        path: the request field it is about, "" if none.
        detail: numbers and traces, never the headline.
    """

    code: str = "internal"
    http_status: ClassVar[int] = 500
    ends_engine: ClassVar[bool] = False

    def __init__(self, message: str, *, path: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.detail = detail


def retold(code: str, message: str, path: str = "", detail: str = "") -> SfumatoError:
    """An error told by another process: its code and sentence as they came."""
    error = SfumatoError(message, path=path, detail=detail)
    error.code = code
    return error


@dataclass(frozen=True)
class Problem:
    """One bad field of a request: where, and why in words."""

    path: str
    sentence: str


class Invalid(SfumatoError):
    code = "invalid"
    http_status = 422

    def __init__(self, problems: Sequence[Problem], *, detail: str = "") -> None:
        self.problems = tuple(problems)
        paths = ",".join(problem.path for problem in self.problems)
        super().__init__(" ".join(problem.sentence for problem in self.problems), path=paths, detail=detail)


class JobNotFound(SfumatoError):
    code = "job_not_found"
    http_status = 404

    def __init__(self, job: str) -> None:
        super().__init__(f"There is no job '{job}' to continue; it was never sent here or has been forgotten.")


class ModelNotFound(SfumatoError):
    code = "model_not_found"
    http_status = 404

    def __init__(self, kind: str, name: str, closest: Sequence[str] = (), *, path: str = "model", remedy: str = "") -> None:
        """`remedy`: a sentence that says where such a file comes from and where it belongs."""
        if name or remedy:
            named = f"No {kind} named '{name}' in the models folders." if name else f"There is no {kind} in the models folders yet."
            hint = f" Closest: '{closest[0]}'." if closest else ""
            sentence = " ".join([f"{named}{hint}", *([remedy] if remedy else [])])
        else:
            sentence = f"There is no {kind} in the models folders yet. Put a .safetensors file into models/checkpoints."
        super().__init__(sentence, path=path)


class FileTrouble(SfumatoError):
    """Something is wrong with one file; `file` is its name for people, never an absolute path."""

    http_status = 422

    def __init__(self, file: str, sentence: str, *, path: str = "model", detail: str = "") -> None:
        self.file = file
        super().__init__(sentence, path=path, detail=detail)


class CorruptFile(FileTrouble):
    code = "corrupt_file"

    def __init__(self, file: str, reason: str, *, path: str = "model", detail: str = "") -> None:
        super().__init__(file, f"'{file}' is damaged: {reason}. Download it again.", path=path, detail=detail)


class PickleRefused(FileTrouble):
    code = "pickle_refused"

    def __init__(self, file: str, *, path: str = "model") -> None:
        super().__init__(
            file,
            f"'{file}' is a pickle, which can run code when opened, so it was not. Convert it to safetensors first: sfumato convert \"{file}\".",
            path=path,
        )


class ConversionRefused(FileTrouble):
    code = "conversion_refused"

    def __init__(self, file: str, reason: str, *, path: str = "file", detail: str = "") -> None:
        super().__init__(file, f"'{file}' was not converted: {reason}. Get the .safetensors version of the model.", path=path, detail=detail)


class ModelUnsupported(FileTrouble):
    code = "model_unsupported"

    def __init__(self, file: str, looks_like: str, *, use: str = "run it as a checkpoint", path: str = "model") -> None:
        super().__init__(file, f"'{file}' looks like {looks_like}; Sfumato cannot {use}.", path=path)


class ModelIncomplete(FileTrouble):
    code = "model_incomplete"

    def __init__(self, file: str, missing: str, names: Sequence[str] = (), *, path: str = "model", chooser: str = "") -> None:
        """`chooser`: the field in which the part that is not there at all can be chosen from another file."""
        sentence = (
            f"'{file}' has no {missing}. Choose one under Model, {chooser}."
            if chooser
            else f"'{file}' has no complete {missing}. Choose another checkpoint or download it again."
        )
        super().__init__(file, sentence, path=path, detail=", ".join(list(names)[:5]))


class ModelIncompatible(FileTrouble):
    code = "model_incompatible"

    def __init__(self, file: str, is_for: str, wanted: str, *, path: str = "model") -> None:
        super().__init__(file, f"'{file}' is for {is_for}, the checkpoint is {wanted}.", path=path)


class ImageUnreadable(FileTrouble):
    code = "image_unreadable"

    def __init__(self, what: str, reason: str = "", *, path: str = "", remedy: str = "Use PNG, JPEG or WebP.") -> None:
        tail = f": {reason}" if reason else ""
        super().__init__(what, f"{what} is not a picture Sfumato can read{tail}. {remedy}", path=path)


class ChecksumDiffers(FileTrouble):
    code = "checksum"
    http_status = 409

    def __init__(self, file: str, *, path: str = "model") -> None:
        super().__init__(file, f"'{file}' differs from the file this job was made with. Choose the original file or start the job anew.", path=path)


class NameTaken(FileTrouble):
    code = "name_taken"
    http_status = 409

    def __init__(self, file: str, folder: str, *, path: str = "name") -> None:
        super().__init__(file, f"There is a '{file}' in '{folder}' already. Choose another name or folder.", path=path)


class TransferDamaged(FileTrouble):
    code = "transfer_damaged"
    http_status = 409

    def __init__(self, file: str, reason: str, *, path: str = "", detail: str = "") -> None:
        super().__init__(file, f"'{file}' did not arrive as it was announced: {reason}. It was not kept; transfer it again.", path=path, detail=detail)


class TransferIncomplete(FileTrouble):
    code = "transfer_incomplete"
    http_status = 409

    def __init__(self, file: str, done: int, total: int) -> None:
        super().__init__(file, f"'{file}' stopped at {done} of {total} bytes. What arrived is kept for a day; transfer it again to go on.", path="")


class FileBusy(FileTrouble):
    code = "file_busy"
    http_status = 409

    def __init__(self, file: str, *, path: str = "model") -> None:
        super().__init__(file, f"'{file}' is still being written. Try again when it is finished.", path=path)


class SecretsUnusable(FileTrouble):
    code = "secrets_unusable"
    http_status = 500

    def __init__(self, file: str, reason: str, remedy: str, *, path: str = "") -> None:
        super().__init__(file, f"The secrets in '{file}' are not used: {reason}. {remedy}", path=path)


class AddressRefused(SfumatoError):
    code = "address_refused"
    http_status = 422

    def __init__(self, host: str, reason: str, *, remedy: str = "Check the address.", path: str = "address", detail: str = "") -> None:
        super().__init__(f"The address at '{host}' is not fetched: {reason}. {remedy}", path=path, detail=detail)


class DownloadFailed(SfumatoError):
    code = "download_failed"
    http_status = 502

    def __init__(
        self, host: str, reason: str, *, remedy: str = "Try again later; what has arrived is kept for a day.", path: str = "", detail: str = ""
    ) -> None:
        super().__init__(f"The download from '{host}' failed: {reason}. {remedy}", path=path, detail=detail)


class QuotaExceeded(SfumatoError):
    code = "quota"
    http_status = 429

    def __init__(self, limit: str) -> None:
        """`limit`: what may be open, for a sentence: "8 files"."""
        super().__init__(f"At most {limit} of unfinished transfers are kept for one user here. Finish or cancel one of them.")


class OutOfMemory(SfumatoError):
    code = "out_of_memory"
    http_status = 507

    def __init__(
        self,
        what: str,
        *,
        needed_bytes: int = 0,
        free_bytes: int = 0,
        would_fit: tuple[int, int] | None = None,
        memory: str = "memory",
        detail: str = "",
    ) -> None:
        """
        Args:
            what: the pictures, for a sentence: "2048x2048".
            needed_bytes, free_bytes: on the device; 0 needed = unknown.
            would_fit: the largest size (width, height) that is expected to fit.
            memory: what the device's memory is called.
        """
        numbers = f" (needs {_gibibytes(needed_bytes)}, {_gibibytes(free_bytes)} free)" if needed_bytes else ""
        remedy = f"{would_fit[0]}x{would_fit[1]} would fit." if would_fit else "Use a smaller size or batch, or close other programs."
        super().__init__(f"Not enough {memory} for {what}{numbers}. {remedy}", detail=detail)


class NumbersInvalid(SfumatoError):
    code = "nan"

    def __init__(self, stage: str, *, detail: str = "") -> None:
        self.stage = stage
        super().__init__(f"The model produced invalid numbers while {stage}. Try precision fp32, another model, or lower guidance.", detail=detail)


class MissingPackage(SfumatoError):
    code = "missing_package"
    http_status = 501

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} needs the Python package '{package}', which is not installed. Install it and reload.")


class DiskFull(SfumatoError):
    code = "disk_full"
    http_status = 507

    def __init__(self, folder: str, free_bytes: int, needed_bytes: int) -> None:
        super().__init__(
            f"The folder '{folder}' has {_megabytes(free_bytes)} left; {_megabytes(needed_bytes)} are needed. Free some space or choose another folder."
        )


class NotWritable(SfumatoError):
    code = "not_writable"
    http_status = 507

    def __init__(self, folder: str, reason: str = "") -> None:
        tail = f" ({reason})" if reason else ""
        super().__init__(f"The folder '{folder}' cannot be written to{tail}. Change its permissions or choose another folder.")


class Forbidden(SfumatoError):
    code = "forbidden"
    http_status = 403

    def __init__(self, kind: str) -> None:
        super().__init__(f"Your role may not run '{kind}' here. Ask the owner of this machine.")


class TooManyJobs(SfumatoError):
    code = "too_many_jobs"
    http_status = 429

    def __init__(self, limit: str) -> None:
        """`limit`: what is allowed, in words: "200 jobs"."""
        super().__init__(f"More than {limit} would be waiting here for you. Send the job again when some of yours have ended.")


class SessionExpired(SfumatoError):
    code = "session_expired"
    http_status = 410

    def __init__(self, job: str) -> None:
        super().__init__(f"What job '{job}' made is no longer kept: it was away for too long, or more than this machine keeps. Run it again.")


class BadFrame(SfumatoError):
    code = "bad_frame"
    http_status = 400

    def __init__(self, reason: str) -> None:
        super().__init__(f"A message could not be understood: {reason}.")


class UnsafeName(SfumatoError):
    code = "unsafe_name"
    http_status = 422

    def __init__(self, name: str, reason: str, *, path: str = "") -> None:
        super().__init__(f"The name {name!r} cannot be used: {reason}. Choose a plain name inside the folder.", path=path)


class LinkRefused(SfumatoError):
    code = "link_refused"
    http_status = 422

    def __init__(self, sentence: str) -> None:
        """`sentence`: one of `transport/link.py`, which never repeats the link, as it may hold a password."""
        super().__init__(sentence, path="endpoint")


class DeviceLost(SfumatoError):
    code = "device_lost"
    http_status = 503
    ends_engine = True

    def __init__(self, *, detail: str = "") -> None:
        super().__init__(f"The graphics driver stopped answering. The engine was restarted{RUN_AGAIN}", detail=detail)


class WorkerDied(SfumatoError):
    code = "worker_died"
    http_status = 503

    def __init__(self, stage: str = "", cause: str = "", *, detail: str = "") -> None:
        during = f" in stage '{stage}'" if stage else ""
        because = f" ({cause})" if cause else ""
        super().__init__(f"The engine stopped unexpectedly{during}{because}. It is being restarted{RUN_AGAIN}", detail=detail)


class EngineUnavailable(SfumatoError):
    code = "engine_unavailable"
    http_status = 503

    def __init__(self, reason: str, *, detail: str = "") -> None:
        super().__init__(f"The engine could not start: {reason}. Run the installer again, then reload.", detail=detail)


class PortTaken(SfumatoError):
    code = "port_taken"
    http_status = 503

    def __init__(self, address: str, port: int, *, detail: str = "") -> None:
        super().__init__(f"Other programs have the port {port} of {address}, or this machine has no such address. Choose another.", path="port", detail=detail)


class LineTrouble(SfumatoError):
    """There is no line to another machine; `server` is its "host:port"."""

    http_status = 502

    def __init__(self, server: str, sentence: str, *, detail: str = "") -> None:
        self.server = server
        super().__init__(sentence, path="endpoint", detail=detail)


class HostNotFound(LineTrouble):
    code = "host_not_found"

    def __init__(self, server: str, *, detail: str = "") -> None:
        super().__init__(server, f"The name of {server} was not found. Check its spelling and this machine's network.", detail=detail)


class PortRefused(LineTrouble):
    code = "port_refused"

    def __init__(self, server: str, *, detail: str = "") -> None:
        super().__init__(server, f"Nothing listens at {server}. Start Sfumato there, or check the port.", detail=detail)


class NotASfumatoServer(LineTrouble):
    code = "not_sfumato"

    def __init__(self, server: str, *, detail: str = "") -> None:
        super().__init__(server, f"What answers at {server} is not a Sfumato server. Check address, port and path.", detail=detail)


class SecretRefused(LineTrouble):
    code = "secret_refused"
    http_status = 401

    def __init__(self, server: str, *, detail: str = "") -> None:
        super().__init__(server, f"'{server}' refused the password. Check it, or ask its owner for a new connection link.", detail=detail)


class VersionRefused(LineTrouble):
    code = "version_refused"
    http_status = 426

    def __init__(self, server: str, theirs: str, ours: str, *, theirs_is_newer: bool) -> None:
        """`theirs`, `ours`: versions for a sentence, as "2" or "2 to 3"."""
        update = "Update Sfumato on this machine" if theirs_is_newer else "Update Sfumato on that machine"
        super().__init__(server, f"'{server}' speaks version {theirs} of the connection, this Sfumato speaks {ours}. {update}.")


class CertificateRefused(LineTrouble):
    code = "certificate_refused"

    def __init__(self, server: str, reason: str = "nobody vouches for it and it was not confirmed here") -> None:
        super().__init__(server, f"The certificate of {server} was not accepted: {reason}. Compare its fingerprint with the owner's, then connect again.")


class ServerChanged(LineTrouble):
    code = "server_changed"

    def __init__(self, server: str) -> None:
        super().__init__(server, f"'{server}' was set up anew since the last connection, so the password was not tried there. Ask its owner.")


class ServerUnsafe(LineTrouble):
    code = "server_unsafe"

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(server, f"The connection to {server} was ended: {reason}. Ask its owner whether it is a Sfumato of today.")


# How `LineLost` ends; who does not try again leaves it out.
TRIED_AGAIN = " It is tried again."


class LineLost(LineTrouble):
    code = "line_lost"
    http_status = 503

    def __init__(self, server: str, reason: str = "", *, detail: str = "") -> None:
        because = f" ({reason})" if reason else ""
        super().__init__(server, f"The connection to {server} was lost{because}. It is tried again.", detail=detail)


class Internal(SfumatoError):
    code = "internal"

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("Something went wrong inside Sfumato. The details were written to the log.", detail=detail)


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 / 10 else f"{count / 2**20:.1f} MiB"


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def leaves(root: type[SfumatoError] = SfumatoError) -> Iterator[type[SfumatoError]]:
    """The concrete error classes below `root`, for tables, tests and the HTTP mapping."""
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from leaves(child)
