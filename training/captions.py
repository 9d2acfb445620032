"""What people say about a picture: several ways for each Spec."""

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .settings import SETTINGS
from .things import COLORS, THINGS
from .world import Group, Spec, held_out, is_held_out, sample_spec

UNSEEN = Path(__file__).parent / 'test-captions.json'  # combinations that training never shows
SEEN = Path(__file__).parent / 'test-captions-seen.json'  # combinations that it does show

NUMBERS = {1: ('a', 'a', 'a', 'one'), 2: ('two',), 3: ('three',)}
SETTING_PHRASES = {
    'sea': ('on the sea', 'at sea', 'on the ocean', 'on the water', 'on the blue water', 'in the sea'),
    'beach': ('on a beach', 'at the beach', 'on the sandy beach', 'on the shore', 'by the shore'),
    'meadow': ('in a meadow', 'on a green meadow', 'in a grassy field', 'on the grass', 'in the field'),
    'desert': ('in the desert', 'in a sandy desert', 'among the dunes', 'in a desert', 'on the dunes'),
    'snow': ('in the snow', 'in a snowy land', 'in a snowy landscape', 'in winter', 'on the snow'),
    'mountains': ('in the mountains', 'in front of mountains', 'near high mountains', 'in a rocky valley'),
    'forest': ('in a forest', 'in the forest', 'in the woods', 'among the pines', 'in a dark forest'),
    'city': ('in a city', 'in the city', 'on a city street', 'in the street', 'in town'),
    'room': ('in a room', 'indoors', 'inside a house', 'in the living room', 'on a wooden floor'),
    'underwater': ('under water', 'underwater', 'at the bottom of the sea', 'under the sea', 'on the sea floor'),
}
TIME_PHRASES = {
    'morning': ('in the morning', 'at dawn', 'at sunrise', 'early in the morning', 'in the morning light'),
    'day': ('by day', 'at noon', 'on a sunny day', 'in the daytime', 'under a blue sky', 'at midday'),
    'sunset': ('at sunset', 'in the evening', 'at dusk', 'in the evening light', 'under a red sky'),
    'night': ('at night', 'by night', 'under a starry sky', 'at midnight', 'in the dark', 'on a clear night'),
}
SETTING_TAGS = {'snow': ('snow', 'winter'), 'mountains': ('mountains',), 'city': ('city', 'town'), 'sea': ('sea', 'ocean'), 'room': ('room', 'indoors')}
TIME_TAGS = {'morning': ('morning', 'dawn', 'sunrise'), 'day': ('day', 'noon', 'sunny day'), 'sunset': ('sunset', 'evening', 'dusk'), 'night': ('night',)}
RELATION_PHRASES = {
    'left': ('{a} to the left of {b}', '{a} left of {b}', '{a} on the left and {b} on the right', '{a} on the left, {b} on the right', 'on the left {a}, on the right {b}'),
    'right': ('{a} to the right of {b}', '{a} right of {b}', '{a} on the right and {b} on the left', '{a} on the right, {b} on the left', 'on the right {a}, on the left {b}'),
    'above': ('{a} above {b}', '{a} over {b}', '{a} high above {b}'),
    'below': ('{a} below {b}', '{a} under {b}', '{a} beneath {b}'),
    'front': ('{a} in front of {b}', '{a} before {b}', '{a} in the foreground and {b} in the background'),
    'behind': ('{a} behind {b}', '{a} in the background and {b} in the foreground'),
}
MEDIA = ('a picture of', 'an illustration of', 'a painting of', 'a drawing of', 'a photo of', 'an image of', 'a 3d render of')
POSES = ('standing', 'seen', 'alone', 'resting')
RELATION_SHARE = 0.8  # of the captions of two groups; the others only list the groups


def noun_phrase(rng: Random, group: Group) -> str:
    thing = THINGS[group.thing]
    names = thing.names if group.count == 1 else thing.plurals
    name = names[0] if rng.random() < 0.75 else rng.choice(names)
    words = f'{group.color} {name}' if group.color else name
    number = rng.choice(NUMBERS[group.count])
    if number == 'a' and (words[0] in 'aeiou' or words == 'hourglass') and words not in ('unicorn', 'ufo'):
        number = 'an'
    return f'{number} {words}'


def join(rng: Random, spec: Spec, phrases: list[str], relation: bool) -> str:
    if len(phrases) == 1:
        return phrases[0]
    if relation:
        return rng.choice(RELATION_PHRASES[spec.relation]).format(a=phrases[0], b=phrases[1])
    return ' and '.join(rng.sample(phrases, 2))


@dataclass(frozen=True)
class Caption:
    text: str
    phrases: tuple[str, ...]  # the words in it that stand for each group
    relation: bool  # whether it says how the groups lie to each other
    setting: bool  # whether it names the setting
    time: bool


def caption(rng: Random, spec: Spec, complete: bool = False) -> Caption:
    """One of many wordings; now and then it leaves out the place, the time or the relation, if it need not be complete."""
    phrases = [noun_phrase(rng, group) for group in spec.groups]
    relation = len(phrases) == 2 and (complete or rng.random() < RELATION_SHARE)
    things = join(rng, spec, phrases, relation)
    setting, time = rng.choice(SETTING_PHRASES[spec.setting]), rng.choice(TIME_PHRASES[spec.time])
    style = rng.uniform(0.18 if complete else 0, 1)
    if style < 0.06:
        text = things
    elif style < 0.12:
        text = f'{things} {setting}'
    elif style < 0.18:
        text = f'{things} {time}'
    elif style < 0.28:
        text = f'{things}, {rng.choice(SETTING_TAGS.get(spec.setting, (spec.setting,)))}, {rng.choice(TIME_TAGS[spec.time])}'
    elif style < 0.38:
        text = f'{time}, {things} {setting}'
    elif style < 0.50:
        text = f'{things} {time} {setting}'
    elif style < 0.62 and not things.startswith('on the'):
        text = f'{rng.choice(MEDIA)} {things} {setting} {time}'
    elif style < 0.68:
        text = f'{things} {rng.choice(POSES)} {setting} {time}'
    else:
        text = f'{things} {setting} {time}'
    if len(phrases) == 1 and text.startswith(phrases[0]) and rng.random() < 0.12:
        bare = phrases[0].removeprefix('an ').removeprefix('a ')
        text, phrases = bare + text.removeprefix(phrases[0]), [bare]
    return Caption(text, tuple(phrases), relation, not (style < 0.06 or 0.12 <= style < 0.18), style >= 0.12)


def words() -> list[str]:
    """Every word that a caption can hold."""
    phrases = [
        *COLORS, *MEDIA, *POSES, 'a an one two three and',
        *(name for thing in THINGS.values() for name in thing.names + thing.plurals),
        *(phrase for table in (SETTING_PHRASES, TIME_PHRASES, SETTING_TAGS, TIME_TAGS, RELATION_PHRASES) for row in table.values() for phrase in row),
        *SETTINGS,
    ]  # fmt: skip
    return sorted({word for phrase in phrases for word in re.findall(r'[a-z0-9-]+', phrase.replace('{a}', '').replace('{b}', ''))})


def test_captions(unseen: bool, count: int, seed: int) -> list[dict]:
    """Captions that name everything the picture must show; things and settings as even as the count allows."""
    rng, rows = Random(seed), []
    things = list(THINGS)
    while len(rows) < count:
        spec = sample_spec(rng)
        first = spec.groups[0]
        even = first.thing == things[7 * len(rows) % len(things)] and spec.setting == SETTINGS[len(rows) // 3 % len(SETTINGS)]
        other = rng.random() < 0.0005  # not every thing has a held-out colour in every setting
        new = held_out(first.color, first.thing, spec.setting) if unseen else not is_held_out(spec)
        if new and (even or other):
            rows.append({
                'caption': caption(rng, spec, complete=True).text,
                'seed': rng.getrandbits(31),
                'setting': spec.setting,
                'time': spec.time,
                'relation': spec.relation,
                'groups': [vars(g) for g in spec.groups],
            })  # fmt: skip
    return rows


def main():
    argparse.ArgumentParser(description='Write the test captions.').parse_args()
    for path, rows in ((UNSEEN, test_captions(True, 1000, 2024)), (SEEN, test_captions(False, 400, 2025))):
        path.write_text('[\n' + ',\n'.join(json.dumps(row) for row in rows) + '\n]\n')
        print(f'{len(rows)} captions in {path.name}')


if __name__ == '__main__':
    main()
