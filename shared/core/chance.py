"""Chance for pauses, samples and names that need not be secret.

A generator of its own: a guest app that seeds `random` would otherwise make every instance draw the
same names, and keep the same pauses. What must not be guessed comes from `secrets`.
"""

from __future__ import annotations

import random

CHANCE = random.Random()  # noqa: S311
