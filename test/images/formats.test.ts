import { describe, expect, it } from 'vitest';
import { extensionOf, imageFormats, mimeOf, negotiateFormat } from '../../src/images/formats.ts';

describe('the format of a rendition', () => {
  it.each([
    [undefined, 'JPEG'],
    ['*/*', 'JPEG'],
    ['image/*', 'JPEG'],
    // Chrome, Firefox and Safari, for an <img>.
    ['image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8', 'WEBP'],
    ['image/avif,image/webp,image/png,image/svg+xml,image/*;q=0.8,*/*;q=0.5', 'WEBP'],
    ['image/webp,image/avif,image/jxl,image/heic,image/png,image/*;q=0.8,*/*;q=0.5', 'WEBP'],
    ['image/avif', 'AVIF'],
    ['image/avif, image/webp;q=0.5', 'AVIF'],
    ['image/avif;q=0.9, image/webp', 'WEBP'],
    ['image/png', 'PNG'],
    ['image/png, image/jpeg', 'JPEG'],
    ['image/png, image/jpeg;q=0.2', 'PNG'],
    ['image/webp;q=0, */*', 'JPEG'],
    ['image/jpeg;q=0, image/*', 'PNG'],
    ['IMAGE/WebP ; Q=0.4', 'WEBP'],
    ['image/webp;q=nonsense, image/png;q=0.1', 'PNG'],
    ['', 'AVIF'],
    ['text/html', 'AVIF'],
    ['*/*;q=0', 'AVIF'],
  ] as const)('for Accept %j is %s', (accept, format) => {
    expect(negotiateFormat(accept, 'AVIF')).toBe(format);
  });

  it('has a media type and an extension of its own', () => {
    expect(imageFormats.map(mimeOf)).toEqual([
      'image/png',
      'image/jpeg',
      'image/webp',
      'image/avif',
    ]);
    expect(imageFormats.map(extensionOf)).toEqual(['png', 'jpg', 'webp', 'avif']);
  });
});
