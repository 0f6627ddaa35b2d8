#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
Random declarations and disturbances against an oracle, on the fake kernel.

    test_property.py [--seed N] [--steps N] [--episode I] [--replay FILE] [--seconds S]

A run is made of episodes, each with an agent of its own, that end with an empty declaration.
A failing one is made shorter, printed, and written where --replay finds it.
"""

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "api"))

from generate import Generator  # noqa: E402
from player import Failure, Player  # noqa: E402

EPISODE = 120  # actions
SHRINK_S = 240


def play(actions, generator=None):
    """Plays these; or, with a generator, so many that it makes up. The failure or None."""
    player, last = None, None
    done = []
    try:
        player = Player()
        while len(done) < (EPISODE if generator else len(actions)):
            last = generator.action(player.declaration) if generator else actions[len(done)]
            done.append(last)
            player.play(last)
            if generator and generator.chance(0.6):
                done.append(["rest"])
                player.play(["rest"])
        player.finish()
        return None, done, player
    except (Failure, OSError, RuntimeError, ValueError) as failure:
        text = f"{type(failure).__name__}: {failure}"
        if player:
            tail = player.agent.log.splitlines()[-1:]
            text += f"\n  log ends: {tail}"
        return text, done, player
    finally:
        if player:
            player.close()


def sort_of(failure):
    """By what a failure is known again, whatever its names."""
    return [line.split()[:2] for line in failure.splitlines()[:2]]


def shrink(actions, failure):
    """Fewer and fewer actions, while a failure of that sort remains."""
    end, size = time.monotonic() + SHRINK_S, max(1, len(actions) // 2)
    while size and time.monotonic() < end:
        at, cut = 0, False
        while at < len(actions) and time.monotonic() < end:
            fewer = actions[:at] + actions[at + size:]
            text, _, _ = play(fewer)
            if text and sort_of(text) == sort_of(failure):
                actions, failure, cut = fewer, text, True
            else:
                at += size
        if not cut or size > 1:
            size = size // 2
    return actions, failure


def report(seed, episode, actions, failure, shrinks):
    print(f"FAILED --seed {seed} --episode {episode}, {len(actions)} actions\n{failure}",
          flush=True)
    print("last actions:\n" + "\n".join(json.dumps(a) for a in actions[-5:]), flush=True)
    if shrinks:
        actions, failure = shrink(actions, failure)
        print(f"shrunk to {len(actions)} actions:\n" +
              "\n".join(json.dumps(a) for a in actions) + f"\n{failure}")
    path = pathlib.Path(tempfile.gettempdir()) / f"ipipd-property-{seed}-{episode}.json"
    path.write_text(json.dumps(actions))
    print(f"again: {sys.argv[0]} --replay {path}", flush=True)


def run(seed, options):
    steps, episode, late, begin = 0, options.episode or 0, 0, time.monotonic()
    while steps < options.steps:
        if options.seconds and time.monotonic() - begin > options.seconds:
            break
        failure, actions, player = play([], Generator(random.Random(f"{seed}/{episode}")))
        if player:
            steps, late = steps + player.steps, late + player.late
        if failure:
            report(seed, episode, actions, failure, not options.no_shrink)
            return False, steps
        if options.episode is not None:
            break
        episode += 1
    print(f"seed {seed}: {steps} steps, {episode} episodes, "
          f"{time.monotonic() - begin:.0f} s, {late} took a second look", flush=True)
    return True, steps


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--episode", type=int)
    parser.add_argument("--replay")
    parser.add_argument("--no-shrink", action="store_true")
    options = parser.parse_args()
    if options.replay:
        actions = json.loads(pathlib.Path(options.replay).read_text())
        failure, _, _ = play(actions)
        print(failure or "no failure")
        sys.exit(bool(failure))
    good = bad = 0
    for seed in options.seed or [1, random.SystemRandom().randrange(1 << 31)]:
        print(f"seed {seed}", flush=True)
        ok, _ = run(seed, options)
        good, bad = good + ok, bad + (not ok)
    print(f"# cases {good} {bad} 0")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
