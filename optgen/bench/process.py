"""The process of a candidate, from outside: requests, answers, and what may go wrong."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from optgen.bench.peers import Peer


class WorkerError(Exception):
    """A candidate could not do what was asked; the text says why, in a sentence."""


class Process:
    """A running worker.

    Args:
        arguments: of Python: what to run.
        environment: variables that differ from those of this process.

    Attributes:
        command: how it was started, to be typed again.
    """

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self.command = " ".join(["python", *arguments])
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **environment},
            text=True,
            encoding="utf-8",
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def send(self, request: Mapping[str, object]) -> None:
        """Send a request, without waiting for the answer; WorkerError if nobody reads it."""
        assert self._process.stdin is not None
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
        except OSError:
            # An answer that says why may be there already.
            raise WorkerError(self._why()) from None

    def receive(self, seconds: float) -> dict[str, Any]:
        """Wait for an answer.

        Args:
            seconds: how long at most.

        Raises:
            WorkerError: if the answer is an error, the process has ended, or none comes in time.
        """
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self._process.kill()
            raise WorkerError(f"gave no answer within {seconds:.0f} s") from None
        if not line:
            raise WorkerError(self._ended())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise WorkerError(_sentence(answer["error"]))
        return answer

    def stop(self) -> None:
        """End the process; it has nothing to lose."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._errors):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass  # an unread request of a process that had ended

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._answers.put(line)
        self._answers.put("")

    def _why(self) -> str:
        """What a process that reads no more says last."""
        try:
            self.receive(1.0)
        except WorkerError as error:
            return str(error)
        return self._ended()

    def _ended(self) -> str:
        status = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors if line.strip()]
        said = f": {lines[-1]}" if lines else ""
        return _sentence(f"the process ended with status {status}{said}")


def worker(peer: Peer, environment: Mapping[str, str]) -> Process:
    """Start the process of a candidate."""
    arguments = ["-m", "optgen.bench.worker", peer.module, *([peer.form] if peer.form else [])]
    return Process(arguments, environment)


def _sentence(text: str) -> str:
    """The first line of a message, which may hold a page."""
    return (text.strip().splitlines() or ["no reason given"])[0]
