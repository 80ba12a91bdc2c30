import { Refusal } from './refusal.mjs';

/**
 * The head of a message of HTTP/1.1 (RFC 9112), read strictly: what two programs could read in two ways is refused, since
 * whoever stands behind would then see another request than the one that was checked.
 *
 * @typedef {{readonly name: string, readonly value: string}} Field `name` in lower case
 * @typedef {{readonly first: string, readonly fields: readonly Field[]}} Head
 */

export const MAX_HEAD_BYTES = 16 * 1024;
const MAX_FIELDS = 100;
const FIELD =
  /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[ \t\x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*$/;
const END = Buffer.from('\r\n\r\n');

/** @type {(message: string) => never} */
const malformed = (message) => {
  throw new Refusal(400, 'malformed', message);
};

/**
 * @param {Buffer} received
 * @returns {{readonly head: Head, readonly rest: Buffer} | null} null: its end has not come yet. Throws a `Refusal`.
 */
export function splitHead(received) {
  const end = received.subarray(0, MAX_HEAD_BYTES).indexOf(END);
  if (end < 0) {
    if (received.length >= MAX_HEAD_BYTES) throw new Refusal(431, 'malformed', 'the head is too long');
    return null;
  }
  const [first = '', ...lines] = received.subarray(0, end).toString('latin1').split('\r\n');
  if (lines.length > MAX_FIELDS) throw new Refusal(431, 'malformed', 'there are too many fields');
  const fields = lines.map((line) => {
    const [, name = '', value = ''] = FIELD.exec(line) ?? malformed('a header field is not well formed');
    return { name: name.toLowerCase(), value };
  });
  return { head: { first, fields }, rest: received.subarray(end + END.length) };
}

/**
 * @param {Head} head
 * @param {string} name
 * @returns {readonly string[]}
 */
const valuesOf = ({ fields }, name) => fields.filter((field) => field.name === name).map(({ value }) => value);

/** Between two neighbours only (RFC 9110, 7.6.1), or answered by this proxy. */
const HOP_BY_HOP = [
  ...['connection', 'proxy-connection', 'keep-alive', 'te', 'trailer', 'upgrade', 'expect'],
  ...['proxy-authorization', 'proxy-authenticate', 'proxy-authentication-info'],
];

/**
 * The fields that go on, without those of this hop.
 * @param {Head} head
 * @param {readonly string[]} drop further names
 * @returns {readonly Field[]}
 */
function endToEnd(head, drop) {
  const named = valuesOf(head, 'connection').flatMap((value) => value.split(','));
  const dropped = new Set([...HOP_BY_HOP, ...drop, ...named.map((name) => name.trim().toLowerCase())]);
  return head.fields.filter(({ name }) => !dropped.has(name));
}

/**
 * @param {string} first
 * @param {readonly Field[]} fields
 */
const write = (first, fields) =>
  Buffer.from(`${[first, ...fields.map(({ name, value }) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`, 'latin1');

/** The last part begins with a letter, so that no notation of an address is a name; a name that ends in a dot is another one. */
const NAME = /^(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;
const PORT = /^[1-9][0-9]{0,4}$/;

/**
 * `name:port`. Whatever is not plainly a name is refused: addresses in every notation, user names, percent signs, letters beyond ASCII.
 * @param {string} authority
 * @param {number | null} otherwise the port where none is named
 * @returns {{readonly host: string, readonly port: number}}
 */
export function parseAuthority(authority, otherwise) {
  const [name = '', port, more] = authority.split(':');
  const host = name.toLowerCase();
  if (more !== undefined || !NAME.test(host)) {
    throw new Refusal(403, 'no-name', 'only names can be asked for, in ASCII and without a user or a final dot');
  }
  if (port === undefined && otherwise !== null) return { host, port: otherwise };
  if (port === undefined || !PORT.test(port) || Number(port) > 65_535) return malformed('the port is not well formed');
  return { host, port: Number(port) };
}

/**
 * @typedef {{readonly host: string, readonly port: number}} Target
 * @typedef {{readonly kind: 'connect', readonly target: Target}
 *   | {readonly kind: 'plain', readonly target: Target, readonly head: Buffer, readonly bodyBytes: number}} Request
 *   `head`: as the server gets it.
 */

/**
 * @param {Head} head
 * @param {Target} target
 * @param {number} usual the port that needs not be named
 */
function checkHost(head, target, usual) {
  const hosts = valuesOf(head, 'host');
  const [host] = hosts;
  if (hosts.length > 1) malformed('there is more than one Host');
  if (host === undefined) return;
  const said = parseAuthority(host, host.includes(':') ? null : usual);
  if (said.host !== target.host || said.port !== target.port) malformed('Host names another target than the request');
}

/**
 * @param {Head} head
 * @returns {number} the length of the body
 */
function bodyOf(head) {
  // A body whose length is said in two ways, or in chunks: where it ends is what smuggled requests are about.
  if (valuesOf(head, 'transfer-encoding').length > 0) {
    throw new Refusal(411, 'length', 'a body needs a Content-Length and no Transfer-Encoding');
  }
  const lengths = valuesOf(head, 'content-length');
  if (lengths.length > 1) throw new Refusal(400, 'length', 'there is more than one Content-Length');
  const [length = '0'] = lengths;
  if (!/^(0|[1-9][0-9]{0,14})$/.test(length)) throw new Refusal(400, 'length', 'Content-Length is no number');
  return Number(length);
}

/**
 * What a request to the proxy asks for. Throws a `Refusal`.
 * @param {Head} head
 * @returns {Request}
 */
export function readRequest(head) {
  const [, method = '', to = ''] =
    /^([A-Z]{1,20}) ([\x21-\x7e]+) HTTP\/1\.[01]$/.exec(head.first) ?? malformed('the request line is not well formed');
  if (method === 'CONNECT') {
    const target = parseAuthority(to, null);
    checkHost(head, target, target.port);
    if (bodyOf(head) > 0) throw new Refusal(400, 'length', 'CONNECT has no body');
    return { kind: 'connect', target };
  }
  const [, authority = '', path = ''] =
    /^http:\/\/([^/?#]*)([/?][^#]*)?$/i.exec(to) ??
    malformed('the target must be http://name/path, or CONNECT for TLS');
  // Somebody who speaks HTTP/1.0 would not understand the answer to what goes on as HTTP/1.1.
  if (valuesOf(head, 'host').length === 0 || head.first.endsWith('1.0')) malformed('HTTP/1.1 with a Host is wanted');
  const target = parseAuthority(authority, 80);
  checkHost(head, target, 80);
  const bodyBytes = bodyOf(head);
  const host = target.port === 80 ? target.host : `${target.host}:${target.port}`;
  const fields = [
    { name: 'host', value: host },
    ...endToEnd(head, ['host', 'content-length', 'transfer-encoding']),
    ...(valuesOf(head, 'content-length').length > 0 ? [{ name: 'content-length', value: String(bodyBytes) }] : []),
    // One request, one connection: each is checked anew.
    { name: 'connection', value: 'close' },
  ];
  const first = `${method} ${path.startsWith('/') ? path : `/${path}`} HTTP/1.1`;
  return { kind: 'plain', target, bodyBytes, head: write(first, fields) };
}

/**
 * The head of a server's answer as the client gets it; null: one that only announces the next. Throws a `Refusal`.
 * @param {Head} head
 * @returns {Buffer | null}
 */
export function readAnswer(head) {
  const [, status = ''] = /^HTTP\/1\.[01] ([1-5][0-9]{2})( [\t\x20-\x7e\x80-\xff]*)?$/.exec(head.first) ?? [];
  if (status === '' || status === '101') throw new Refusal(502, 'answer', 'the server did not answer as HTTP wants it');
  if (status.startsWith('1')) return null;
  return write(head.first, [...endToEnd(head, []), { name: 'connection', value: 'close' }]);
}
