#!/usr/bin/env python3
"""How long a training step takes on N ranks, from what one thread takes: the model of docs/scaling.md.

T(n) = rest + ceil(max_r leaves_r / threads) c + waited
where a batch has m micro-batches of c seconds each on one thread, and rank r takes leaves_r of them. Gradients are exchanged in segments of
whole layers, from the head down (include/graft/core/gradients.hpp), each of which takes
    (k + 1) (n - 1)/n its bytes / bandwidth + 2 latency + 2 (n - 1) overhead,
k the most whole nodes of the tree over micro-batches that make up a rank's share (include/graft/train/spread_sum.hpp): one after the other,
each when the last micro-batch's backward pass, half of c, is through its layers. What is not done by its end is waited for.
"""
import argparse


def whole_nodes(level, at, leaves, first, last):
    begin, end = at << level, min(leaves, (at + 1) << level)
    if begin >= end or begin >= last or end <= first:
        return 0
    if begin >= first and end <= last:
        return 1
    return sum(whole_nodes(level - 1, 2 * at + i, leaves, first, last) for i in (0, 1))


def segments(a, n):
    """(layers that are left below it, megabytes) of each, from the head down; megabytes are MiB here, as least_bytes_at_once has them."""
    least = max(1.0, n / 64, 1000 * a.latency)
    layer = (a.megabytes - a.head) / a.layers
    found, size = [], a.head
    for below in range(a.layers - 1, 0, -1):
        size += layer
        if min(size, below * layer) >= least and not a.at_the_end:
            found.append((below, size))
            size = 0.0
    return found + [(0, size + layer)]


def waited(a, n, k, gigabits):
    free = -1e9
    for below, size in segments(a, n):
        ready = -a.seconds / 2 * below / a.layers
        takes = (k + 1) * (n - 1) / n * size * 8e-3 / gigabits + 2 * a.latency + 2 * (n - 1) * a.overhead
        free = max(ready, free) + takes
    return max(0.0, free)


def main():
    o = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    o.add_argument("--micro_batches", type=int, nargs="+", default=[20, 320])
    o.add_argument("--seconds", type=float, default=0.21, help="c, of one micro-batch on one thread")
    o.add_argument("--rest", type=float, default=0.02, help="of a step, which each rank does whole")
    o.add_argument("--megabytes", type=float, default=12.0, help="of gradients")
    o.add_argument("--head", type=float, default=2.4, help="of these, of the head")
    o.add_argument("--layers", type=int, default=12)
    o.add_argument("--threads", type=int, default=1, help="of a rank")
    o.add_argument("--latency", type=float, default=50e-6, help="seconds")
    o.add_argument("--overhead", type=float, default=5e-6, help="seconds a message")
    o.add_argument("--at_the_end", action="store_true", help="as if all were exchanged when all is computed")
    a = o.parse_args()
    for m in a.micro_batches:
        top = max(0, (m - 1).bit_length())
        print(f"{m} micro-batches          1 Gbit/s                25 Gbit/s")
        print("ranks  of a rank    s a step  faster    s a step  faster")
        alone = a.rest + -(-m // a.threads) * a.seconds
        for n in (1, 2, 4, 8, 16, 32, 64, 128, 256):
            cuts = [m * r // n for r in range(n + 1)]
            most = max(last - first for first, last in zip(cuts, cuts[1:]))
            k = max(whole_nodes(top, 0, m, first, last) for first, last in zip(cuts, cuts[1:]))
            line = f"{n:5}  {most:9}"
            for gigabits in (1, 25):
                step = a.rest + -(-most // a.threads) * a.seconds + (waited(a, n, k, gigabits) if n > 1 else 0.0)
                line += f"  {step:10.2f}  {alone / step:6.1f}"
            print(line)
        print()


main()
