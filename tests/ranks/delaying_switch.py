#!/usr/bin/env python3
"""A switch between network namespaces that delays: for kernels without netem.

Usage: delaying_switch.py MILLISECONDS NAMESPACE...
Each namespace gets an interface tap0 at this switch, which hands every frame on after so long, to whom it is for. Runs until it is ended.
Sources: Linux, Documentation/networking/tuntap.rst; setns(2).
"""
import collections
import ctypes
import fcntl
import os
import select
import struct
import subprocess
import sys
import time

TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def enter(path):
    with open(path) as namespace:
        if libc.setns(namespace.fileno(), 0) != 0:
            raise OSError(ctypes.get_errno(), f"setns {path}")


def main():
    delay, names = float(sys.argv[1]) / 1e3, sys.argv[2:]
    taps = []
    for name in names:
        enter(f"/run/netns/{name}")
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tap0", IFF_TAP | IFF_NO_PI))
        taps.append(tap)
    print("ready", flush=True)
    place_of, waiting = {}, collections.deque()  # (when, frame, from)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, frame, source = waiting.popleft()
            target = place_of.get(frame[:6])
            for tap in [target] if target is not None else taps:
                if tap != source:
                    try:
                        os.write(tap, frame)
                    except OSError:
                        pass  # its queue is full, or its interface is down: lost, as on a wire
        rest = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for tap in select.select(taps, [], [], rest)[0]:
            for _ in range(64):
                try:
                    frame = os.read(tap, 65536)
                except BlockingIOError:
                    break
                place_of[frame[6:12]] = tap
                waiting.append((time.monotonic() + delay, frame, tap))


main()
