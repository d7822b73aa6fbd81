"""An agent's rows as the controller's journal has them: checked, and in the controller's clock.

A row whose source is not the agent's, or that no agent may tell, is refused. So is one that cannot be read: it would
make the run unreadable.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from core.bodies import RECORD_TYPES
from core.records import Note, Record, Summary
from core.shifted import ONLY_T, shifted
from store.parcel import Row
from store.seconds import Second, second_of

NOT_FROM_AGENTS = frozenset({"RunStarted", "ExperimentPhase", "FaultStep", "RunEnded", "ClockOffset"})
"""What only a controller tells."""
_DECODERS: dict[str, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(each) for kind, each in RECORD_TYPES.items() if kind not in NOT_FROM_AGENTS
}
_ENCODE = msgspec.json.Encoder().encode


@dataclass
class Taken:
    """Rows (t_ns, kind, vantage, body) for the journal, the seconds among them, and why others were refused."""

    rows: list[tuple[int, str, str, str]] = field(default_factory=list)
    seconds: list[Second] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    def take(self, agent: str, rows: tuple[Row, ...], by_ns: int) -> None:
        """Take rows of `agent` in, `by_ns` added to their instants."""
        for _, t_ns, kind, vantage, body in rows:
            decoder = _DECODERS.get(kind)
            if decoder is None:
                self.refused[f"{kind[:40]}: not a kind that an agent tells"] += 1
                continue
            try:
                record: Record = decoder.decode(body)
            except msgspec.DecodeError as error:
                self.refused[f"{kind}: cannot be read: {error}"] += 1
                continue
            source = record.source if isinstance(record, Note) else getattr(record, "vantage", "")
            if source != agent or vantage not in ("", agent) or record.t_ns != t_ns:
                self.refused[f"{kind}: its source is not {agent}"] += 1
                continue
            if isinstance(record, Summary):
                self.seconds.append(second_of(record)._replace(t_ns=t_ns + by_ns))
            self.rows.append((t_ns + by_ns, kind, vantage, _moved(record, kind, body, by_ns)))


def _moved(record: Record, kind: str, body: str, by_ns: int) -> str:
    if not by_ns:
        return body
    begin = f'{{"t_ns":{record.t_ns},'
    if kind in ONLY_T and body.startswith(begin):
        return f'{{"t_ns":{record.t_ns + by_ns},{body[len(begin) :]}'
    return _ENCODE(shifted(record, by_ns)).decode()
