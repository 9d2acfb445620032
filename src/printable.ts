/**
 * Control characters, and those that change the direction of text: C0, DEL, C1, the separators of lines and paragraphs,
 * bidirectional marks. A terminal would obey them, and a log could be made to say something else.
 */
const control = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g;

/** Text for a terminal, with every control character in view (`\u{1b}`); line breaks stay where `isMultiline`. */
export function printable(text: string, { isMultiline = false } = {}): string {
  return text.replace(control, (character) =>
    isMultiline && character === '\n' ? '\n' : `\\u{${codeOf(character).toString(16)}}`,
  );
}

/** A line of JSON, with the control characters that JSON itself lets pass as its escapes. */
export function printableJson(line: string): string {
  return line.replace(control, (character) =>
    character === '\n' ? character : `\\u${codeOf(character).toString(16).padStart(4, '0')}`,
  );
}

/** All of them are one UTF-16 unit. */
function codeOf(character: string): number {
  return character.charCodeAt(0);
}
