"""Carries the VIP's answers to a vantage in the router's stead, some of them twice and some of them late."""

from __future__ import annotations

import heapq
import random
import select
import socket
import sys
import time

ETH_P_IP = 0x0800
TWICE = 0.05
LATE = 0.05
LATEST_S = 0.025


def main() -> None:
    """Relay from VIP `argv[1]` to `argv[2]`, out of interface `argv[3]` with Ethernet header `argv[4]` (hex)."""
    vip, vantage, interface, header = (*map(socket.inet_aton, sys.argv[1:3]), sys.argv[3], bytes.fromhex(sys.argv[4]))
    source = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    out.bind((interface, 0))
    waiting: list[tuple[float, int, bytes]] = []
    number = 0
    while True:
        pause_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else 1.0
        if select.select([source], [], [], pause_s)[0]:
            packet, (name, _, kind, *_) = source.recvfrom(65_535)
            ours = packet[12:16] == vip and packet[16:20] == vantage and kind != socket.PACKET_OUTGOING
            if ours and name != interface:
                now_s = time.monotonic()
                late_s = random.uniform(0.001, LATEST_S) if random.random() < LATE else 0.0
                for _ in range(2 if random.random() < TWICE else 1):
                    number += 1
                    heapq.heappush(waiting, (now_s + late_s, number, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            copy = bytearray(heapq.heappop(waiting)[2])
            copy[8] -= 1  # one hop; the checksum of RFC 1624 with it
            total = int.from_bytes(copy[10:12], "big") + 0x100
            copy[10:12] = ((total & 0xFFFF) + (total >> 16)).to_bytes(2, "big")
            out.send(header + copy)


if __name__ == "__main__":
    main()
