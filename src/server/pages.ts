import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import express, { type Request, type RequestHandler, type Response } from 'express';

/** What `scripts/build-pages.mjs` made: beside the compiled program, and where tests find it. */
export const pagesFolder = [
  new URL('../pages/', import.meta.url),
  new URL('../../dist/pages/', import.meta.url),
]
  .map((url) => fileURLToPath(url))
  .find((folder) => existsSync(folder));

/** Everything from here alone; the editor writes its own styles and starts its own workers. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data: blob:",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** GET or HEAD `/graphql` of a browser that is shown a page, not of a program that sends a query. */
export function wantsPage(request: Request): boolean {
  return ['GET', 'HEAD'].includes(request.method) && request.accepts(['json', 'html']) === 'html';
}

/** The page itself; next is called for every other request. */
export const graphiqlPage: RequestHandler = async (request, response, next) => {
  if (!wantsPage(request)) return next();
  if (pagesFolder === undefined) return sayMissing(response);
  const html = await readFile(`${pagesFolder}/graphiql/index.html`, 'utf8');
  response
    .set({
      'Content-Security-Policy': contentSecurityPolicy,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-cache',
    })
    .type('html')
    .send(html);
};

/** `/pages/…`: scripts, styles and fonts. Names carry a hash of their contents. */
export function pageFiles(): RequestHandler {
  if (pagesFolder === undefined) return (_request, _response, next) => next();
  return express.static(pagesFolder, {
    index: false,
    dotfiles: 'deny',
    fallthrough: true,
    setHeaders: (response) => {
      response.setHeader('Content-Security-Policy', contentSecurityPolicy);
    },
  });
}

function sayMissing(response: Response): void {
  response
    .status(503)
    .type('text')
    .send('Expected the page to be built: run "node scripts/build-pages.mjs" first\n');
}
