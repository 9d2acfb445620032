"""A picture against its caption: which of the things that the caption asks for does the judge see?"""

from ..world import Spec
from .judge import Verdict

# How the centre of the first group lies to that of the second: axis (0 across, 1 down) and sign.
SIDES = {'left': (0, -1), 'right': (0, 1), 'above': (1, -1), 'below': (1, 1), 'front': (1, 1), 'behind': (1, -1)}


def on_its_side(spec: Spec, verdict: Verdict) -> bool:
    first, second = (verdict.center(group.thing) for group in spec.groups)
    axis, sign = SIDES[spec.relation]
    return sign * (first[axis] - second[axis]) > 0


def compare(spec: Spec, verdict: Verdict) -> dict[str, bool]:
    """What is right, by the name of its row in the table; a row is missing where it does not apply."""
    groups = spec.groups
    rights = {'setting': verdict.setting == spec.setting, 'time': verdict.time == spec.time}
    seen = verdict.things(len(groups)) == {group.thing for group in groups}
    colors = all(verdict.color_of(group.thing) == group.color for group in groups)
    if len(groups) == 2:
        rights |= {'both things': seen, 'both things, each on its side': seen and on_its_side(spec, verdict), 'both things in their colours': seen and colors}
        return rights | {'side, where both things are recognised': on_its_side(spec, verdict)} if seen else rights
    rights['thing'] = seen
    if groups[0].color:
        rights['colour'] = colors
    if seen:
        rights['count, where the thing is recognised'] = verdict.number == groups[0].count
    return rights | {'all of one group': seen and colors and all(rights.values())}


class Tally:
    """Shares right, by row."""

    def __init__(self):
        self.rows: dict[str, list[bool]] = {}

    def add(self, rights: dict[str, bool]):
        for name, right in rights.items():
            self.rows.setdefault(name, []).append(right)

    def __str__(self) -> str:
        return '\n'.join(f'{name:42} {100 * sum(row) / len(row):5.1f} %  of {len(row)}' for name, row in self.rows.items())
