"""Fetch the pictures of the things: `python -m training.emoji`.

Microsoft's Fluent Emoji as 3D renderings of 256 x 256 pixels (MIT), out of a pinned npm package whose checksum is
verified. They are used for training only and are not part of the repository or of the model folder.
"""

import argparse
import base64
import hashlib
import subprocess
import tarfile
import tempfile
from pathlib import Path

from . import checkpoint

PACKAGE = '@lobehub/fluent-emoji-3d@1.1.0'
SHA512 = 'Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g=='
FOLDER = checkpoint.RUNS / 'fluent-emoji-3d'


def checked(archive: Path) -> Path:
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != SHA512:
        raise SystemExit(f'{archive.name}: expected sha512 {SHA512}, got {found}')
    return archive


def fetch():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(['npm', 'pack', '--silent', PACKAGE], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob('*.tgz')
        with tarfile.open(checked(archive)) as package:
            package.extractall(FOLDER.parent / 'fluent-emoji-3d.part', filter='data')
    (FOLDER.parent / 'fluent-emoji-3d.part' / 'package').rename(FOLDER)
    (FOLDER.parent / 'fluent-emoji-3d.part').rmdir()


def main():
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    if not FOLDER.exists():
        fetch()
    print(f'{len(list((FOLDER / "assets").glob("*.webp")))} pictures in {FOLDER.name}')


if __name__ == '__main__':
    main()
