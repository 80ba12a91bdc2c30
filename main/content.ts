import { extname, normalize, sep } from 'node:path';

/** The page's own scheme: no file: access, an origin of its own, and every header is ours. */
export const SCHEME = 'idlemesh';
const ORIGIN = `${SCHEME}://app`;
export const PAGE = `${ORIGIN}/index.html`;

/** The page talks with the main process and nothing else. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

export type ContentFile = { readonly path: string; readonly type: string };

/** The file below `root` that an address names; null for anything else, above all for a way out of `root`. */
export function contentFile(root: string, address: string): ContentFile | null {
  let url: URL;
  let name: string;
  try {
    url = new URL(address);
    name = decodeURIComponent(url.pathname);
  } catch {
    return null;
  }
  if (url.protocol !== `${SCHEME}:` || url.host !== 'app') return null;
  if (name.includes('\0') || name.includes('\\') || name.split('/').includes('..')) return null;
  const path = normalize(`${root}${sep}${name}`);
  const type = TYPES[extname(path)];
  return type === undefined || !path.startsWith(`${normalize(root)}${sep}`) ? null : { path, type };
}

export const isOurPage = (address: string): boolean => address === PAGE || address.startsWith(`${PAGE}#`);
