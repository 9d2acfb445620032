const ligatures = new Map(
  Object.entries({
    Ĳ: 'IJ',
    ĳ: 'ij',
    ŉ: 'ʼn',
    Ǳ: 'DZ',
    ǲ: 'Dz',
    ǳ: 'dz',
    Ǆ: 'DŽ',
    ǅ: 'Dž',
    ǆ: 'dž',
    Ǉ: 'LJ',
    ǈ: 'Lj',
    ǉ: 'lj',
    Ǌ: 'NJ',
    ǋ: 'Nj',
    ǌ: 'nj',
    ﬀ: 'ff',
    ﬁ: 'fi',
    ﬂ: 'fl',
    ﬃ: 'ffi',
    ﬄ: 'ffl',
    ﬅ: 'ſt',
    ﬆ: 'st',
  }),
);

/** What Windows-1252 has at 0x80 to 0x9F; where it has nothing, the control character stays. */
const windows1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * The repairs of Python's `ftfy.fix_text` in its order: control characters from Windows-1252, Latin
 * ligatures, character width, curled quotes, line breaks, lone surrogates, terminal escapes, control
 * characters, NFC; again until nothing changes. Left out is the first of them, mojibake ("Ã©" for
 * "é"): it is guessed from statistics over a dozen encodings, and such text comes out unrepaired.
 */
export function repairText(text: string): string {
  for (let before = ''; before !== text; ) {
    before = text;
    text = text
      .replace(/[\x80-\x9f]/g, (c) => windows1252[c.charCodeAt(0) - 0x80]!)
      .replace(/[ĲĳŉǱ-ǳǄ-ǌﬀ-ﬆ]/g, (c) => ligatures.get(c)!)
      .replace(/[\u3000\uff01-\uffef]/g, (c) => c.normalize('NFKC'))
      .replace(/[\u201c-\u201f]/g, '"')
      .replace(/[\u02bc\u2018-\u201b]/g, "'")
      .replace(/\r\n|[\r\u2028\u2029\x85]/g, '\n')
      .replace(/\p{Surrogate}/gu, '\ufffd')
      .replace(/\x1b\[[\p{Nd};]*[a-zA-Z]/gu, '')
      .replace(/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, '')
      .normalize('NFC');
  }
  return text;
}
