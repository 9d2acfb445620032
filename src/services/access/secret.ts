import { createHash, randomBytes } from 'node:crypto';

/** How every key begins, so that programs which look for leaked secrets find it. */
export const keyPrefix = 'easel_';

/** Characters of a key that are shown again: `easel_` and eight more, 48 of its 256 bits. */
const shownCharacters = keyPrefix.length + 8;

/** A new key, 256 random bits in base64url, and what is kept of it. */
export function newSecret(): { secret: string; prefix: string; sha256: string } {
  const secret = `${keyPrefix}${randomBytes(32).toString('base64url')}`;
  return { secret, prefix: secret.slice(0, shownCharacters), sha256: sha256Of(secret) };
}

export function sha256Of(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
