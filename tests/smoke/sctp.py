#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""One SCTP handshake's first two packets, by raw sockets: kernels without SCTP translate its packets all the same.

  sctp.py answer PORT            waits for an INIT chunk to PORT, says where it came from and went to, answers it
  sctp.py ask ADDRESS PORT       sends an INIT chunk, says where the answer came from and went to

Packets whose checksum (CRC32c) is wrong are not taken. Both give up after 30 seconds; ask repeats its packet each second.
"""
import socket
import struct
import sys
import time

SCTP = 132
INIT, INIT_ACK = 1, 2
OWN_PORT = 43210
PATIENCE = 30


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def packet(source: int, destination: int, tag: int, chunk: int) -> bytes:
    body = struct.pack("!BBHIIHHI", chunk, 0, 20, 0x01020304, 65536, 1, 1, 1)
    head = struct.pack("!HHI", source, destination, tag)
    # RFC 9260, appendix A: the CRC lies there with its least significant byte first.
    return head + struct.pack("<I", crc32c(head + bytes(4) + body)) + body


def parse(data: bytes, chunk: int):
    """Source, destination, source port, destination port of an intact packet with this chunk; else None."""
    start = (data[0] & 15) * 4
    sctp = data[start:]
    if len(sctp) < 16 or sctp[12] != chunk:
        return None
    if struct.unpack("<I", sctp[8:12])[0] != crc32c(sctp[:8] + bytes(4) + sctp[12:]):
        print("wrong checksum", file=sys.stderr)
        return None
    return socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20]), *struct.unpack("!HH", sctp[:4])


def wait_for(raw: socket.socket, port: int, chunk: int, until: float):
    while time.monotonic() < until:
        raw.settimeout(max(until - time.monotonic(), 0.01))
        try:
            found = parse(raw.recv(2048), chunk)
        except TimeoutError:
            return None
        if found and found[3] == port:
            return found
    return None


def answer(port: int) -> int:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
    print("ready", flush=True)
    found = wait_for(raw, port, INIT, time.monotonic() + PATIENCE)
    if not found:
        return 1
    print(*found, flush=True)
    raw.sendto(packet(port, found[2], 0x01020304, INIT_ACK), (found[0], 0))
    return 0


def ask(address: str, port: int) -> int:
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, SCTP)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        raw.sendto(packet(OWN_PORT, port, 0, INIT), (address, 0))
        found = wait_for(raw, OWN_PORT, INIT_ACK, time.monotonic() + 1)
        if found:
            print(*found)
            return 0
    return 1


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        sys.exit(answer(int(sys.argv[2])))
    sys.exit(ask(sys.argv[2], int(sys.argv[3])))
