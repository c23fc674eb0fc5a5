"""What the jobs of one client may take of this machine's memory while they wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sfumato.protocol.codec import encode
from sfumato.protocol.errors import TooManyJobs
from sfumato.protocol.messages import Submit


def size_of(submit: Submit) -> int:
    """Bytes of a request with its pictures, about."""
    return len(encode(submit.model_copy(update={"blobs": {}}))) + sum(len(data) for data in submit.blobs.values())


@dataclass(frozen=True)
class Limits:
    """How much may wait: of one client, and of all clients of one identity, which may come in many sessions."""

    jobs: int = 200
    bytes_of_client: int = 128 << 20
    jobs_of_identity: int = 1000
    bytes_of_identity: int = 256 << 20

    def excess(self, waiting: Sequence[tuple[bool, int]], jobs: int, size_bytes: int) -> TooManyJobs | None:
        """Which limit `jobs` more of `size_bytes` would break, beside what waits of the identity: (whether it is this client's, bytes) each."""
        mine = [size for is_mine, size in waiting if is_mine]
        if len(mine) + jobs > self.jobs:
            return TooManyJobs(f"{self.jobs} jobs")
        if len(waiting) + jobs > self.jobs_of_identity:
            return TooManyJobs(f"{self.jobs_of_identity} jobs")
        if sum(mine) + size_bytes > self.bytes_of_client:
            return TooManyJobs(_mebibytes(self.bytes_of_client))
        if sum(size for _, size in waiting) + size_bytes > self.bytes_of_identity:
            return TooManyJobs(_mebibytes(self.bytes_of_identity))
        return None


def _mebibytes(count: int) -> str:
    return f"{count >> 20} MiB of jobs"
