"""Draws the phases of a cancel from the transition table: `python docs/draw_steps.py`."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from jobcancel.flow.transitions import TRANSITIONS, Phase

WIDTH, HEIGHT = 820, 470
BOX_WIDTH, BOX_HEIGHT = 128, 54

PLACES = {
    Phase.SEND: (410, 60),
    Phase.CONFIRM: (710, 60),
    Phase.BACK_OFF: (110, 230),
    Phase.CHECK: (410, 230),
    Phase.DONE: (710, 230),
    Phase.PRECHECK: (110, 410),
}
ABOUT = {
    Phase.PRECHECK: "read the status first",
    Phase.SEND: "cancel request",
    Phase.CHECK: "read the status",
    Phase.BACK_OFF: "as asked, or jitter",
    Phase.CONFIRM: "read until it ended",
    Phase.DONE: "the result",
}
# How far an arrow bows out of the straight line, in pixels to its left.
BOWS = {
    (Phase.SEND, Phase.BACK_OFF): 24,
    (Phase.BACK_OFF, Phase.SEND): 24,
    (Phase.CHECK, Phase.BACK_OFF): 24,
    (Phase.BACK_OFF, Phase.CHECK): 24,
    (Phase.SEND, Phase.DONE): 28,
    (Phase.CHECK, Phase.CONFIRM): -28,
    (Phase.BACK_OFF, Phase.DONE): -95,
    (Phase.PRECHECK, Phase.SEND): -4,
    (Phase.PRECHECK, Phase.DONE): -70,
}

STYLE = """
  .box { fill: #eef3fb; stroke: #3b5b8c; stroke-width: 1.5 }
  .name { font: bold 15px sans-serif; fill: #1b2b45 }
  .about { font: 11px sans-serif; fill: #47536a }
  .arrow { fill: none; stroke: #3b5b8c; stroke-width: 1.3; marker-end: url(#head) }
  .label { font: 12px sans-serif; fill: #1b2b45; paint-order: stroke; stroke: #ffffff;
           stroke-width: 5px }
"""


def edge_of_box(phase: Phase, towards: tuple[float, float]) -> tuple[float, float]:
    """Return where a line from the middle of a box towards a point leaves the box."""
    x, y = PLACES[phase]
    dx, dy = towards[0] - x, towards[1] - y
    scale = min(
        (BOX_WIDTH / 2 + 4) / abs(dx) if dx else 1e9, (BOX_HEIGHT / 2 + 4) / abs(dy) if dy else 1e9
    )
    return x + dx * scale, y + dy * scale


def arrow(start: Phase, end: Phase, label: str) -> str:
    """Return one arrow with its label, bowed so that arrows do not lie on each other."""
    (x1, y1), (x2, y2) = PLACES[start], PLACES[end]
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    bow = BOWS.get((start, end), 0)
    middle = (
        (x1 + x2) / 2 + (y2 - y1) / length * bow,
        (y1 + y2) / 2 - (x2 - x1) / length * bow,
    )
    control = (2 * middle[0] - (x1 + x2) / 2, 2 * middle[1] - (y1 + y2) / 2)
    (ax, ay), (bx, by) = edge_of_box(start, control), edge_of_box(end, control)
    curve = f"M {ax:.0f} {ay:.0f} Q {control[0]:.0f} {control[1]:.0f} {bx:.0f} {by:.0f}"
    lx, ly = 0.25 * ax + 0.5 * control[0] + 0.25 * bx, 0.25 * ay + 0.5 * control[1] + 0.25 * by
    return (
        f'<path class="arrow" d="{curve}"/>\n'
        f'<text class="label" x="{lx:.0f}" y="{ly + 4:.0f}" text-anchor="middle">{label}</text>'
    )


def box(phase: Phase) -> str:
    """Return one phase."""
    x, y = PLACES[phase]
    return (
        f'<rect class="box" x="{x - BOX_WIDTH / 2:.0f}" y="{y - BOX_HEIGHT / 2:.0f}" rx="8" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>\n'
        f'<text class="name" x="{x}" y="{y - 3}" text-anchor="middle">{phase}</text>\n'
        f'<text class="about" x="{x}" y="{y + 14}" text-anchor="middle">{ABOUT[phase]}</text>'
    )


def drawing() -> str:
    """Return the drawing of `TRANSITIONS` as SVG."""
    labels = defaultdict(list)
    for (start, event), end in TRANSITIONS.items():
        labels[start, end].append(str(event))
    arrows = [arrow(*ends, ", ".join(events)) for ends, events in labels.items()]
    parts = "\n".join([*arrows, *map(box, PLACES)])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="The phases of a cancel">\n<style>{STYLE}</style>\n'
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M 0 0 L 10 5 L 0 10 z" fill="#3b5b8c"/>'
        f"</marker></defs>\n"
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>\n{parts}\n</svg>\n'
    )


if __name__ == "__main__":
    (Path(__file__).parent / "steps.svg").write_text(drawing())
