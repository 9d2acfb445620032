import type { RequestHandler } from 'express';
import helmet from 'helmet';

/**
 * What browsers hold answers to. Pages and files set a Content-Security-Policy of their own; nothing else is a page. Images
 * may be shown by pages of other origins (`/files` says so itself), so that nothing stricter than that is said here.
 */
export const securityHeaders: RequestHandler = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  // Which of a proxy's names speak TLS, and for how long, is for that proxy to say.
  strictTransportSecurity: false,
  crossOriginResourcePolicy: { policy: 'same-origin' },
});
