"""A receiver as a process: `python -m tests.store.receiving BUS HOME`, until it is killed."""

from __future__ import annotations

import random
import sys
import threading
from pathlib import Path

from core.bus import Access
from store.bus import Bus
from store.receiver import Receiver
from store.ship_ledger import ShipLedger
from store.shipper import Clocks

if __name__ == "__main__":
    address, home = sys.argv[1], Path(sys.argv[2])
    bus = Bus(Access((address,), "controller"))
    ledger = ShipLedger(home / "receive.db", "bus")
    Receiver(bus, home / "runs", ledger, "here", print).run(Clocks(threading.Event(), random.random))
