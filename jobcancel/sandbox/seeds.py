"""All seeded situations; the table that the page, the startup text and a demo go through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobcancel.sandbox.seeds_pulse import PULSE_SEEDS
from jobcancel.sandbox.seeds_talonic import TALONIC_SEEDS

if TYPE_CHECKING:
    from jobcancel.sandbox.situations import Situation

SEEDS = (*PULSE_SEEDS, *TALONIC_SEEDS)
SITUATIONS: tuple[Situation, ...] = tuple(seed.situation for seed in SEEDS)
