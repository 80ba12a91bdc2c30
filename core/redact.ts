/** What must not stand in a log, told by its name or by its form. */

const HIDDEN = '[hidden]';

/** Names of fields whose value is secret, or proves something and is nobody's to see. */
const NAMES =
  /(^|[-_.])(authorization|cookie|password|passwd|secret|token|api[-_]?key|private[-_]?key|signature|seed|mnemonic)$/;

/**
 * Forms of what this program itself hands out or takes: signatures (65 or 64 bytes in hex), access tokens, API keys, webhook secrets,
 * what follows "Bearer", PEM keys, and passwords in addresses. A private key has the form of a hash: it is known by its name alone.
 */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [/\b0x[0-9a-fA-F]{128,130}\b/g, HIDDEN],
  [/\b(?:consumer|device)\.0x[0-9a-f]{40}\.\d{1,15}\.[A-Za-z0-9_-]{43}/g, HIDDEN],
  [/\bidlemesh_[A-Za-z0-9_-]{43}/g, HIDDEN],
  [/\bwhsec_[A-Za-z0-9+/_-]{16,}=*/g, HIDDEN],
  [/\b(bearer\s+)[^\s"',;]+/gi, `$1${HIDDEN}`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, HIDDEN],
  [/\b([a-z][a-z0-9+.-]{1,20}:\/\/[^\s/:@]*):[^\s/@]+@/gi, `$1:${HIDDEN}@`],
];
/** Deeper than this nothing is told. */
const MOST_DEEP = 6;

/** `apiKey` and `X-Api-Key` are one name. */
const nameOf = (key: string): string => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();

const isSecretName = (key: string): boolean => NAMES.test(nameOf(key));

/**
 * A value as it may be logged: plain data, amounts as text, errors as what they say. `known` are secrets that this process holds;
 * they are hidden wherever they stand, also within other text.
 */
export function redacted(value: unknown, known: readonly string[] = [], depth = 0): unknown {
  if (typeof value === 'string') return hideIn(value, known);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return hideIn(value.message, known);
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : value;
  if (depth >= MOST_DEEP) return HIDDEN;
  if (Array.isArray(value)) return value.map((one) => redacted(one, known, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      hideIn(key, known),
      isSecretName(key) && one !== null && one !== undefined ? HIDDEN : redacted(one, known, depth + 1),
    ]),
  );
}

function hideIn(text: string, known: readonly string[]): string {
  let shown = text;
  for (const secret of known) if (secret !== '') shown = shown.replaceAll(secret, HIDDEN);
  for (const [form, instead] of FORMS) shown = shown.replaceAll(form, instead);
  return shown;
}
