"""What people say about a picture: several ways for each Spec."""

import argparse
import json
from pathlib import Path
from random import Random

from .scenery import SETTINGS
from .things import THINGS
from .world import Group, Spec, held_out, is_held_out, sample_spec

TEST_CAPTIONS = Path(__file__).parent / 'test-captions.json'

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
}
TIME_PHRASES = {
    'morning': ('in the morning', 'at dawn', 'at sunrise', 'early in the morning', 'in the morning light'),
    'day': ('by day', 'at noon', 'on a sunny day', 'in the daytime', 'under a blue sky', 'at midday'),
    'sunset': ('at sunset', 'in the evening', 'at dusk', 'in the evening light', 'under a red sky'),
    'night': ('at night', 'by night', 'under a starry sky', 'at midnight', 'in the dark', 'on a clear night'),
}
SETTING_TAGS = {'snow': ('snow', 'winter'), 'mountains': ('mountains',), 'city': ('city', 'town'), 'sea': ('sea', 'ocean')}
TIME_TAGS = {'morning': ('morning', 'dawn', 'sunrise'), 'day': ('day', 'noon', 'sunny day'), 'sunset': ('sunset', 'evening', 'dusk'), 'night': ('night',)}
RELATIONS = {
    'left': ('{a} to the left of {b}', '{a} left of {b}', '{a} on the left and {b} on the right'),
    'right': ('{a} to the right of {b}', '{a} right of {b}', '{a} on the right and {b} on the left'),
    'above': ('{a} above {b}', '{a} over {b}', '{a} in the sky above {b}'),
    'below': ('{a} below {b}', '{a} under {b}', '{a} beneath {b}'),
}
MEDIA = ('a picture of', 'an illustration of', 'a painting of', 'a drawing of', 'a photo of', 'an image of')


def noun_phrase(rng: Random, group: Group) -> str:
    thing = THINGS[group.thing]
    names = thing.names if group.count == 1 else thing.plural
    name = names[0] if rng.random() < 0.75 else rng.choice(names)
    number = rng.choice(NUMBERS[group.count])
    if number == 'a' and group.color[0] in 'aeiou':
        number = 'an'
    return f'{number} {group.color} {name}'


def caption(rng: Random, spec: Spec) -> str:
    """A sentence; now and then it leaves out the place or the time."""
    a, *rest = (noun_phrase(rng, group) for group in spec.groups)
    if not rest:
        things = a
    elif rng.random() < 0.6:
        things = rng.choice(RELATIONS[spec.relation]).format(a=a, b=rest[0])
    else:
        things = f'{a} and {rest[0]}' if rng.random() < 0.5 else f'{rest[0]} and {a}'
    setting = rng.choice(SETTING_PHRASES[spec.setting])
    time = rng.choice(TIME_PHRASES[spec.time])
    style = rng.random()
    if style < 0.06:
        return things
    if style < 0.12:
        return f'{things} {setting}'
    if style < 0.18:
        return f'{things} {time}'
    if style < 0.28:
        setting = rng.choice(SETTING_TAGS.get(spec.setting, (spec.setting,)))
        bare = things.removeprefix('a ').removeprefix('an ') if rng.random() < 0.5 else things
        return f'{bare}, {setting}, {rng.choice(TIME_TAGS[spec.time])}'
    if style < 0.40:
        return f'{time}, {things} {setting}'
    if style < 0.55:
        return f'{things} {time} {setting}'
    if style < 0.67:
        return f'{rng.choice(MEDIA)} {things} {setting} {time}'
    return f'{things} {setting} {time}'


def complete_caption(rng: Random, spec: Spec) -> str:
    """A caption that names everything the picture must show."""
    while True:
        text = caption(rng, spec)
        if any(p in text for p in SETTING_PHRASES[spec.setting] + SETTING_TAGS.get(spec.setting, (spec.setting,))):
            if any(p in text for p in TIME_PHRASES[spec.time] + TIME_TAGS[spec.time]):
                return text


def test_captions(count: int = 200, seed: int = 2024) -> list[dict]:
    """Only combinations that training never shows; things, colours and settings as even as 200 allow."""
    rng, rows = Random(seed), []
    things, settings = list(THINGS), list(SETTINGS)
    while len(rows) < count:
        spec = sample_spec(rng, two_groups=0.35)
        even = spec.groups[0].thing == things[len(rows) % len(things)] and spec.setting == settings[len(rows) // 3 % len(settings)]
        first_is_new = held_out(spec.groups[0].color, spec.groups[0].thing, spec.setting)
        tired = rng.random() < 0.002  # some thing has no held-out colour in this setting
        if is_held_out(spec) and ((even and first_is_new) or tired):
            rows.append({
                'caption': complete_caption(rng, spec),
                'seed': rng.getrandbits(31),
                'setting': spec.setting,
                'time': spec.time,
                'relation': spec.relation,
                'groups': [vars(g) for g in spec.groups],
            })
    return rows


def main():
    argparse.ArgumentParser(description='Write the held-out test captions.').parse_args()
    rows = test_captions()
    TEST_CAPTIONS.write_text('[\n' + ',\n'.join(json.dumps(row) for row in rows) + '\n]\n')
    print(f'{len(rows)} captions in {TEST_CAPTIONS.name}')


if __name__ == '__main__':
    main()
