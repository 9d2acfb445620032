import { decode } from 'html-entities';
import { Tokenizer as HtmlTokenizer, TokenizerMode } from 'parse5';
import { withoutAddresses } from './addresses.ts';
import { python, strip } from './python-text.ts';
import { repairText } from './text-repair.ts';

/** What a prompt becomes when it is not cleaned: lower case, outer white space gone. */
export function plainCaption(text: string): string {
  return strip(text.toLowerCase());
}

/**
 * What a prompt becomes before the tokenizer, as the training captions did: diffusers'
 * `_clean_caption` (pipelines/pixart_alpha), applied twice as there. Lower case, no URLs, HTML, file
 * names, @names or long numbers; "1920x1080" and "2a3b" become nothing. One gap: mojibake is not
 * repaired (see `repairText`).
 */
export function cleanCaption(text: string): string {
  return cleanOnce(cleanOnce(text));
}

/**
 * Each takes time that grows with the text: none begins again at every character of a long run, where
 * the original would. Then the original stands beside it.
 */
type Rule = readonly [pattern: RegExp, replacement: string];

/** Up to the last one in a word, with at least one character before it: `\S+\.(?:png|…)`. */
const fileName = /^.+\.(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)/su;

const beforeFileNames: readonly Rule[] = [
  [python`@\w+\b`, ''],
  // CJK strokes, phonetic extensions, enclosed and compatibility forms, ideographs, hexagrams.
  [/[\u31c0-\u31ef\u31f0-\u9fff]+/g, ''],
  [
    /[\u002d\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d]+/g,
    '-',
  ],
  [/[`´«»“”¨]/g, '"'],
  [/[‘’]/g, "'"],
  [/&quot;?/g, ''],
  [/&amp/g, ''],
  [python`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`, ' '],
  [python`\d:\d\d\s+$`, ''],
  [/\\n/g, ' '],
  [python`#\d{1,3}\b`, ''],
  [python`#\d{5,}\b`, ''],
  [python`\b\d{6,}\b`, ''],
];

const afterFileNames: readonly Rule[] = [
  [/["']{2,}/g, '"'],
  [/[.]{2,}/g, ' '],
  [/[#®•©™&@·º½¾¿¡§~)(\][}{|\\/*]+/g, ' '],
  [python`(?<!\s)\s+\.\s+`, ' '], // \s+\.\s+
];

const words = python`\S+`;

const afterRepair: readonly Rule[] = [
  [python`\b[a-zA-Z]{1,3}\d{3,15}\b`, ''],
  [python`\b[a-zA-Z]+\d+[a-zA-Z]+\b`, ''],
  [python`\b\d+[a-zA-Z]+\d+\b`, ''],
  [python`(?:worldwide\s+)?(?:free\s+)?shipping`, ''],
  [python`(?:free\s)?download(?:\sfree)?`, ''],
  [python`\bclick\b\s(?:for|on)\s\w+`, ''],
  [python`\b(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)(?:\simages?)?`, ''],
  [python`\bpage\s+\d+\b`, ''],
  [python`\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d[a-zA-Z\d]*\b`, ' '], // … \d+[a-zA-Z\d]*
  [python`\b\d+(?:\.\d*)?[xх×]\d+(?:\.\d*)?\b`, ''], // \d+\.?\d*; the second x is Cyrillic
  [python`\b\s+:\s+`, ': '],
  [python`(\D[,.\/])\b`, '$1 '],
  [python`\s+`, ' '],
  [/^["'](.+)["']$/gs, '$1'],
  [/^['_,\-:;]/g, ''],
  [/['_,\-:+]$/g, ''],
  [python`^\.\S+$`, ''],
];

function cleanOnce(caption: string): string {
  let text = strip(unquote(caption)).toLowerCase();
  text = text.replace(/<person>/g, 'person');
  text = withoutAddresses(withoutAddresses(text, 'https?'), 'www');
  text = apply(beforeFileNames, htmlText(text));
  text = text.replace(words, (word) => word.replace(fileName, ''));
  text = apply(afterFileNames, text);
  const isJoinedUp = (text.match(/[-_]/g) ?? []).length > 3; // this-is-my-cute-cat
  if (isJoinedUp) text = text.replace(/[-_]/g, ' ');
  text = unescapeHtml(unescapeHtml(repairText(text)));
  return strip(apply(afterRepair, text));
}

function apply(rules: readonly Rule[], text: string): string {
  return rules.reduce(
    (result, [pattern, replacement]) => result.replace(pattern, replacement),
    text,
  );
}

/** Python's `unquote_plus`: "+" is a space, and what is not UTF-8 becomes U+FFFD. */
function unquote(text: string): string {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return text
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
      decoder.decode(Uint8Array.from(run.slice(1).split('%'), (hex) => Number.parseInt(hex, 16))),
    );
}

function unescapeHtml(text: string): string {
  return decode(text, { level: 'html5', scope: 'body' });
}

/**
 * The text between the tags, without scripts and styles: a tokenizer, not a tree, because Python's
 * parser builds none either. A "<" that no ">" follows is text, and so is a reference that the text
 * ends in.
 */
function htmlText(html: string): string {
  let text = '';
  let hidden: string | undefined;
  const tokenizer: HtmlTokenizer = new HtmlTokenizer(
    {},
    {
      onStartTag({ tagName }) {
        if (tagName !== 'script' && tagName !== 'style') return;
        hidden = tagName;
        tokenizer.state = TokenizerMode.RAWTEXT;
      },
      onEndTag({ tagName }) {
        if (tagName === hidden) hidden = undefined;
      },
      onCharacter: ({ chars }) => append(chars),
      onWhitespaceCharacter: ({ chars }) => append(chars),
      onNullCharacter: ({ chars }) => append(chars),
      onComment() {},
      onDoctype() {},
      onEof() {},
    },
  );
  function append(chars: string) {
    if (hidden === undefined) text += chars;
  }
  const end = html.lastIndexOf('>') + 1;
  const markup = html.slice(0, end) + html.slice(end).replaceAll('<', '&lt;');
  const references = markup
    .replace(/&(?=#?[a-z0-9]*$)/i, '&amp;')
    .replace(/&([a-z][-.a-z0-9]*)(?:;|(?![a-z0-9]))/gi, completeReference);
  tokenizer.write(references, true);
  return text;
}

/** Python's parser takes "&name" whole, with or without ";", and drops the ";" of an unknown one. */
function completeReference(_: string, name: string): string {
  const reference = `&${name};`;
  return decode(reference, { level: 'html5', scope: 'strict' }) === reference
    ? `&amp;${name}`
    : reference;
}
