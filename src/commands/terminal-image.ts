import { decodePixels } from '../images/decode.ts';

/** Environment variables, as far as they tell terminals apart. */
export type TerminalEnvironment = Readonly<Record<string, string | undefined>>;

export type ImageProtocol = 'kitty' | 'iterm' | 'blocks';

/** How this terminal shows images; null where it cannot. */
export function imageProtocol(env: TerminalEnvironment): ImageProtocol | null {
  const program = env['TERM_PROGRAM'];
  // A multiplexer hands its outer terminal's variables on, but not images.
  const isMultiplexed = env['TMUX'] !== undefined || env['STY'] !== undefined;
  if (!isMultiplexed) {
    const isKitty = env['TERM'] === 'xterm-kitty' || env['KITTY_WINDOW_ID'] !== undefined;
    const isGhostty = env['TERM'] === 'xterm-ghostty' || program === 'ghostty';
    if (isKitty || isGhostty || program === 'WezTerm') return 'kitty';
    if (program === 'iTerm.app') return 'iterm';
  }
  return env['COLORTERM'] === 'truecolor' || env['COLORTERM'] === '24bit' ? 'blocks' : null;
}

/** What to write for the image to appear, its line's end included. `columns`: the terminal's width. */
export async function drawImage(
  png: Buffer,
  protocol: ImageProtocol,
  columns: number,
): Promise<string> {
  switch (protocol) {
    case 'kitty':
      return `${kitty(png)}\n`;
    case 'iterm':
      return `\x1b]1337;File=inline=1;size=${png.length}:${png.toString('base64')}\x07\n`;
    case 'blocks':
      return await blocks(png, columns);
  }
}

/** Kitty graphics protocol: PNG (f=100), shown at once (a=T), in pieces of at most 4,096 characters, quietly (q=2). */
function kitty(png: Buffer): string {
  const pieces = png.toString('base64').match(/.{1,4096}/g) ?? [];
  return pieces
    .map((piece, i) => {
      const first = i === 0 ? 'f=100,a=T,q=2,' : '';
      const more = i < pieces.length - 1 ? 1 : 0;
      return `\x1b_G${first}m=${more};${piece}\x1b\\`;
    })
    .join('');
}

/** Two pixels a character: the upper half block in the colour of one, on the colour of the other. */
async function blocks(png: Buffer, columns: number): Promise<string> {
  const side = Math.max(2, Math.min(columns, 64));
  const { rgb, width, height } = await decodePixels(png, { width: side, height: side });
  const colour = (x: number, y: number) => {
    const at = (y * width + x) * 3;
    return `${rgb[at]};${rgb[at + 1]};${rgb[at + 2]}`;
  };
  let text = '';
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x++) {
      const lower = y + 1 < height ? `\x1b[48;2;${colour(x, y + 1)}m` : '\x1b[49m';
      text += `\x1b[38;2;${colour(x, y)}m${lower}▀`;
    }
    text += '\x1b[0m\n';
  }
  return text;
}
