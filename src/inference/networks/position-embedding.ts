/** Longest wave length of every sinusoid here, as in "Attention Is All You Need". */
const maxPeriod = 10_000;

export type PositionGrid = {
  /** Tokens down and across. */
  readonly height: number;
  readonly width: number;
  /** Side of the square grid that the model was trained on. */
  readonly baseSize: number;
  readonly interpolationScale: number;
};

/**
 * PixArt's two-dimensional sinusoids: each axis, whatever its number of tokens, spans the training
 * grid. Columns come first, then rows; in each, sines first, then cosines. Coordinates are single
 * precision and waves double, as diffusers has them (`get_2d_sincos_pos_embed`).
 *
 * @returns (height · width, channels), rows first
 */
export function positionEmbedding(
  { height, width, baseSize, interpolationScale }: PositionGrid,
  channels: number,
): Float32Array {
  const axis = (cells: number) =>
    Array.from({ length: cells }, (_, i) => {
      const stretch = Math.fround(cells / baseSize);
      const position = Math.fround(Math.fround(i / stretch) / interpolationScale);
      return waves(position, channels / 2);
    });
  const [rows, columns] = [axis(height), axis(width)];
  const table = new Float32Array(height * width * channels);
  let offset = 0;
  for (const row of rows) {
    for (const column of columns) {
      table.set(column, offset);
      table.set(row, offset + channels / 2);
      offset += channels;
    }
  }
  return table;
}

function waves(position: number, channels: number): Float64Array {
  const half = channels / 2;
  const values = new Float64Array(channels);
  for (let k = 0; k < half; k++) {
    const angle = position * maxPeriod ** (-k / half);
    values[k] = Math.sin(angle);
    values[half + k] = Math.cos(angle);
  }
  return values;
}

/**
 * Sinusoid of a timestep (or of a micro-condition): 128 cosines, then 128 sines. Every step is
 * rounded to single precision, as PyTorch does it: formed in double, it moves a network's
 * output by up to 1e-5.
 */
export function timestepEmbedding(timestep: number, channels = 256): Float32Array {
  const half = channels / 2;
  const values = new Float32Array(channels);
  const logPeriod = Math.fround(-Math.log(maxPeriod));
  for (let k = 0; k < half; k++) {
    const exponent = Math.fround(Math.fround(logPeriod * k) / half);
    const angle = Math.fround(Math.fround(timestep) * Math.fround(Math.exp(exponent)));
    values[k] = Math.cos(angle);
    values[half + k] = Math.sin(angle);
  }
  return values;
}
