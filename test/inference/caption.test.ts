import { describe, expect, test } from 'vitest';
import { cleanCaption, plainCaption } from '../../src/inference/prompt/caption.ts';

// What diffusers' `_text_preprocessing(…, clean_caption=True)` returns (bs4, ftfy installed).
describe('a cleaned caption', () => {
  test.each([
    ['  Pirate Ship, 8K --ar 16:9  ', 'pirate ship, 8k -ar 16:9'],
    [
      'this-is-my-cute-cat_photo, visit https://example.com/x?y=1 now!',
      'this is my cute cat photo, visit ?y=1 now!',
    ],
    ['A <b>bold</b> cat &amp; a “dog” — 日本 …', 'a bold cat a "dog" - …'],
    ['a 1920x1080 photo.jpg of IMG1234 #123 #1234 #12345 by @artist_1', 'a of 1234 by'],
    ['50%25 off + free shipping, click on link', '50% off'],
    [String.raw`Hello... world .. (test) [x] {y} a/b\c * #`, 'hello world test x y a b c'],
    ['"quoted prompt"', 'quoted prompt'],
    [
      'portrait of a girl,blue eyes,red hair.cinematic',
      'portrait of a girl, blue eyes, red hair. cinematic',
    ],
    ['abc123 j2d1a2a 123456 at 10.0.0.1 12:34 ', 'at 12:34'],
    ['page 12 of the book, png images, download free', 'of the book,'],
    ['ｆｕｌｌ ｗｉｄｔｈ ﬁne art’s', "full width fine art's"],
    ['-leading dash and trailing-', 'leading dash and trailing'],
  ])('of %j is %j', (text, cleaned) => {
    expect(cleanCaption(text)).toBe(cleaned);
  });

  test.each([
    ['a < b and c > d', 'a < b and c > d'],
    ['i <3 you', 'i <3 you'],
    ['<script>x=1</script>after<!-- gone -->', 'after'],
    ['&copy; 2020 &eacute;t&eacute; &quotation', '2020 été ation'],
    ['caf%C3%A9 %zz', 'café %zz'],
    ['a\u0085b\u001cc', 'a…bc'],
    ['<PERSON> on a boat', 'person on a boat'],
    ['ŉ ǆ ĳ ﾊﾝ', 'n dž ij ハン'],
    ['e\u0301 ٣٣٣٣٣٣', 'é'],
    ['5.5×4.2 2х3 now', 'now'],
    ['.hidden', ''],
    ['', ''],
  ])('of %j, by Python’s rules, is %j', (text, cleaned) => {
    expect(cleanCaption(text)).toBe(cleaned);
  });

  // Twice what a prompt may have: where time grows with its square, these take a quarter of a minute.
  test.each([
    ...['a.', '<', '1a', 'a', '- ', 'http:/', '&', '%41', '_', 'a.co@', ' ', ' .', '&amp;', '<a '],
    ...['\ufdfa', 'ﬃ', 'İ', '🅰', '㍿', '\u0378', '\u0301', '\u202e', '1', 'a1', '\x1b[1;', 'x.pn'],
  ])('of 16,000 characters of %j does not take long', (part) => {
    const started = performance.now();
    cleanCaption(`${part.repeat(16_000 / part.length)}x_`);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test.each([
    ['a.com/b-c@d.com x', 'c x'],
    ['www.a.co.uk/x b.comx c.de', '.uk x c. de'],
    ['.com a.net@ b.org', '.com a. net'],
    ['a.b.com@c.org.x-y.it/z', 'a. b. com'],
    ['-.-a.ru- b', '.- b'],
    ['x.https:/a.co', 'x.'],
    ['a.png.jpg.b c.pngd .png x.png', '.b d .'],
    ['x .  . y . z', 'x y z'],
    ['1.x2 3×4.a 5x6_ 7.8x', 'a 5x6_ 7.8x'],
    ['a1b2 a1b22_ 1a1a1é', 'a1b22_ 1a1a1é'],
  ])('of %j, where a rule just fits or fails, is %j', (text, cleaned) => {
    expect(cleanCaption(text)).toBe(cleaned);
  });
});

test('a plain caption is lower case without outer white space, as Python sees it', () => {
  expect(plainCaption('\u0085\u001c A <b>Cat</b>, 4K \u2003\n')).toBe('a <b>cat</b>, 4k');
  expect(plainCaption('\ufeffcat\ufeff')).toBe('\ufeffcat\ufeff');
});
