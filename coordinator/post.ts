import { lookup as systemLookup } from 'node:dns/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { networkInterfaces } from 'node:os';
import { type AddressRange, isLoopbackAddress, isPublicAddress, parseRange } from '../core/addresses.ts';
import { fail } from '../core/errors.ts';

/** One request to a stranger's server. It reaches nothing but the public internet, and cannot keep us. */

const WITHIN_MS = 10_000;
const MAX_ANSWER_BYTES = 4 * 1024;

/** All addresses of a name; throws when there are none. */
export type Lookup = (host: string) => Promise<readonly string[]>;

export const lookupHost: Lookup = async (host) =>
  (await systemLookup(host, { all: true, verbatim: true })).map(({ address }) => address);

const ownAddresses = (): readonly AddressRange[] =>
  Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).flatMap(({ address }) => parseRange(address.split('%')[0] ?? '') ?? []),
  );

/**
 * The address that is dialled: every one of the name is checked, since whoever answers with one that is not public is trying
 * something, and nobody is asked again in between. Throws REFUSED.
 */
async function checkedAddress(url: URL, lookup: Lookup, loopback: boolean): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const found = isIP(host) > 0 ? [host] : await lookup(host).catch(() => []);
  const [first] = found;
  if (first === undefined) return fail('REFUSED', `${host} has no address`);
  if (loopback && found.every(isLoopbackAddress)) return first;
  const own = ownAddresses();
  if (!found.every((address) => isPublicAddress(address, own))) {
    fail('REFUSED', `${host} has an address that is not of the public internet`);
  }
  if (url.protocol !== 'https:') fail('REFUSED', 'a webhook is an https address');
  return first;
}

export type Posting = {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly lookup: Lookup;
  /** This machine may be reached, without TLS. */
  readonly loopback: boolean;
  readonly signal: AbortSignal;
};

/** Answers the status. Redirects are not followed; of the body no more is read than says nothing. Throws REFUSED or what broke. */
export async function postOutside({ url: text, body, headers, lookup, loopback, signal }: Posting): Promise<number> {
  const url = new URL(text);
  const address = await checkedAddress(url, lookup, loopback);
  const family = isIP(address);
  const pinned: LookupFunction = (_host, options, done) => {
    if (options.all) done(null, [{ address, family }]);
    else done(null, address, family);
  };
  const within = AbortSignal.any([signal, AbortSignal.timeout(WITHIN_MS)]);
  const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const bytes = Buffer.from(body);
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = start(url, {
      method: 'POST',
      agent: false,
      lookup: pinned,
      signal: within,
      headers: { ...headers, 'content-type': 'application/json', 'content-length': bytes.length },
    });
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    outgoing.end(bytes);
  });
  await drain(answer);
  return answer.statusCode ?? 0;
}

async function drain(answer: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of answer) {
      bytes += Buffer.byteLength(chunk);
      if (bytes > MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status has come; what breaks off behind it changes nothing.
  } finally {
    answer.destroy();
  }
}
