"""What can go wrong, drawn once.

::

    LoopgenError                     code
    ├── InputError                   (exit 2: something the user gave cannot be used)
    │   ├── InvalidRequest           invalid_request     a field outside its range
    │   ├── AudioUnreadable          audio_unreadable    missing, empty, truncated or not audio
    │   ├── OutputUnwritable         output_unwritable   no permission, no folder, disk full
    │   ├── EngineUnavailable        engine_unavailable  unknown, or its parts are not installed
    │   ├── PresetUnusable           preset_unusable     unknown name, unknown key, bad TOML
    │   ├── SettingUnusable          setting_unusable    unknown key or bad value, in the file or the environment
    │   ├── PortTaken                port_taken          another program, or another loopgen, has the port
    │   ├── UnknownJob               unknown_job         no job has this id, or it ended long ago
    │   ├── RecipeUnusable           recipe_unusable     a file does not say, or not all, of how it was made
    │   └── TakeGone                 take_gone           the take of a loop is not kept any more
    └── JobError                     (exit 1: the job itself failed)
        ├── GenerationFailed         generation_failed   the engine gave nothing that can be used
        ├── Busy                     busy                too many jobs wait already
        ├── WorkerDied               worker_died         the worker process crashed or was killed
        ├── Stalled                  stalled             the worker gave no sign of life for too long
        ├── OutOfMemory              out_of_memory       the request needs more memory than there is
        ├── ServerUnreachable        server_unreachable  no server answers
        ├── Refused                  (the server's own)  an error that a server answered
        └── Cancelled                cancelled           the user stopped it

Every message says what was wrong, the value, the allowed range where there is one, and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class LoopgenError(Exception):
    """Root of all errors that loopgen raises on purpose; ``code`` is stable and goes over the wire."""

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1


class InputError(LoopgenError):
    """Something that the user gave cannot be used."""

    code = "invalid_input"
    exit_status = 2


class InvalidRequest(InputError):
    """A field of a request is outside its range.

    >>> str(InvalidRequest("bpm", 0, "a tempo from 20 to 999 BPM"))
    'bpm: 0 cannot be used; give a tempo from 20 to 999 BPM'
    """

    code = "invalid_request"

    def __init__(self, field: str, value: object, allowed: str) -> None:
        shown = repr(value) if isinstance(value, str) else str(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        super().__init__(f"{field}: {shown} cannot be used; give {allowed}")
        self.field, self.value, self.allowed = field, value, allowed


class AudioUnreadable(InputError):
    """A file that should be audio is missing, empty, truncated or something else."""

    code = "audio_unreadable"


class OutputUnwritable(InputError):
    """A result cannot be written where it was asked for."""

    code = "output_unwritable"


class EngineUnavailable(InputError):
    """The engine is unknown, or what it needs is not installed."""

    code = "engine_unavailable"


class PresetUnusable(InputError):
    """A preset is unknown or its file cannot be read as one."""

    code = "preset_unusable"


class SettingUnusable(InputError):
    """A setting is unknown or has a value that cannot be used."""

    code = "setting_unusable"


class PortTaken(InputError):
    """The port belongs to another program already."""

    code = "port_taken"


class UnknownJob(InputError):
    """No job has this id."""

    code = "unknown_job"


class RecipeUnusable(InputError):
    """A file carries no recipe, or one that lacks what is needed to make it again."""

    code = "recipe_unusable"


class TakeGone(InputError):
    """The take that a loop was made of is not kept any more."""

    code = "take_gone"


class JobError(LoopgenError):
    """The job failed although its input was good."""

    code = "job_failed"


class GenerationFailed(JobError):
    """The engine gave nothing that can become a loop."""

    code = "generation_failed"


class Busy(JobError):
    """Too many jobs are waiting."""

    code = "busy"


class WorkerDied(JobError):
    """The worker process crashed or was killed during the job."""

    code = "worker_died"


class Stalled(JobError):
    """The worker gave no sign of life for too long, and was ended."""

    code = "stalled"


class OutOfMemory(JobError):
    """The request needs more memory than there is."""

    code = "out_of_memory"


class ServerUnreachable(JobError):
    """No server answers at the address."""

    code = "server_unreachable"


class Refused(JobError):
    """A server answered with an error; ``wire_code`` is the code that it gave."""

    code = "refused"

    def __init__(self, message: str, wire_code: str = "refused") -> None:
        super().__init__(message)
        self.wire_code = wire_code


class Cancelled(JobError):
    """The user stopped the job."""

    code = "cancelled"
    exit_status = 130
