import { fail } from '../core/errors.ts';

/** Where a database is, and nothing else that may be shown of it. */
export type DatabaseUrl = {
  readonly url: string;
  /** Without password. */
  readonly shown: string;
  /** Takes the password out of a text. */
  readonly mask: (text: string) => string;
};

/** Throws BAD_INPUT, with nothing of the text in it: it holds a password. */
export function parseDatabaseUrl(text: string): DatabaseUrl {
  const parsed = URL.canParse(text) ? new URL(text) : null;
  if (parsed === null || !/^postgres(ql)?:$/.test(parsed.protocol) || parsed.pathname.length < 2) {
    return fail('BAD_INPUT', 'the database address must read postgres://user:password@host:5432/name');
  }
  const query = parsed.searchParams.get('password') ?? '';
  const secrets = [parsed.password, decoded(parsed.password), query, encodeURIComponent(query)].filter(Boolean);
  const shown = new URL(parsed);
  shown.password = '';
  shown.searchParams.delete('password');
  // The longest first: one may be a part of another.
  const longest = [...new Set(secrets)].sort((a, b) => b.length - a.length);
  return {
    url: text,
    shown: shown.toString(),
    mask: (message) => longest.reduce((masked, secret) => masked.replaceAll(secret, '[ REDACTED ]'), message),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
