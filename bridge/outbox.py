"""Deliveries that are sent again until somebody says that they have arrived."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.peers import Address
from bridge.protocol import RESENDS

OUTBOX_MAX = 2_000


@dataclass(slots=True)
class _Parcel:
    datagram: bytes
    replies: tuple[Address, ...]
    due: float
    sent: int = 0


class Outbox:
    """What was delivered and not acknowledged, by job and variation."""

    def __init__(self) -> None:
        self._parcels: dict[tuple[str, int], _Parcel] = {}

    def __len__(self) -> int:
        return len(self._parcels)

    def put(self, job: str, variation: int, datagram: bytes, replies: tuple[Address, ...], now: float) -> None:
        """Note a delivery that has just been sent for the first time."""
        self._parcels[job, variation] = _Parcel(datagram, replies, now + RESENDS[0])
        while len(self._parcels) > OUTBOX_MAX:
            del self._parcels[next(iter(self._parcels))]

    def acknowledge(self, job: str, variation: int) -> None:
        """It has arrived; variation 0 stands for all of the job's."""
        for key in [key for key in self._parcels if key[0] == job and variation in (0, key[1])]:
            del self._parcels[key]

    def due(self, now: float) -> list[tuple[bytes, tuple[Address, ...]]]:
        """What is to be sent again now; forgotten after the last time."""
        again = []
        for key, parcel in list(self._parcels.items()):
            if parcel.due <= now:
                again.append((parcel.datagram, parcel.replies))
                parcel.sent += 1
                if parcel.sent == len(RESENDS):
                    del self._parcels[key]
                else:
                    parcel.due = now + RESENDS[parcel.sent]
        return again

    def next_due(self) -> float | None:
        """When `due` will have something next."""
        return min((parcel.due for parcel in self._parcels.values()), default=None)
