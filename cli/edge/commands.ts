import { fail } from '../../core/errors.ts';
import { ANYBODY, grantText, parseGrant } from '../../core/grant.ts';
import { type Address, address, type Hex32, hex32, type Signature, type UnixMs } from '../../core/primitives.ts';
import type { Struct } from '../../core/typed-data.ts';
import { type Fetched, fetchContent } from './fetch.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { EdgePayer, EdgePlaces } from './places.ts';
import { type Published, publishFolder } from './publish.ts';
import { openContent, type ReaderOptions } from './reader.ts';

/** What every command on published content needs. */
export type EdgeUse = {
  readonly places: EdgePlaces;
  readonly payer: EdgePayer;
  /** Of the account whose key signs. */
  readonly account: Address;
  readonly sign: (name: 'Grant', value: Struct<'Grant'>) => Promise<Signature>;
  readonly say: (line: string) => void;
  /** Told again and again how much is done, from 0 to 1. */
  readonly progress: (part: number) => void;
  readonly signal: AbortSignal;
};

/** A content's name, or the word that lets somebody read it, which has the name in it. */
type Wanted = { readonly content: Hex32; readonly grant: string | null };

/** Throws BAD_INPUT. */
function wantedOf(text: string): Wanted {
  const name = hex32.safeParse(text);
  if (name.success) return { content: name.data, grant: null };
  return { content: parseGrant(text).value.content, grant: text };
}

const share = (done: number, total: number): number => (total === 0 ? 1 : done / total);

const readerOptions = ({ places, payer, say }: EdgeUse, grant: string | null): ReaderOptions => ({
  ...{ places, payer, grant },
  lied: (device) => say(`${device} gave something else than was asked for; it is not asked again`),
});

/** Throws as `publishFolder` does. */
export async function publish(use: EdgeUse, folder: string, copies: number): Promise<Published> {
  const { places, account: publisher, signal, say } = use;
  const published = await publishFolder({
    ...{ places, publisher, folder, copies, signal },
    progress: (sent, total) => use.progress(share(sent, total)),
    failed: (device, why) => say(`${device} does not take it: ${why}`),
  });
  const { content, files, bytes, devices } = published;
  say(`${content}: ${files} files, ${bytes} bytes, on ${devices.length} devices`);
  if (devices.length < copies) say(`no more devices lend room for it now; publish it again later for ${copies} copies`);
  return published;
}

/** The word with which `reader`, or anybody who has it (null), may read a content of this account's. Throws BAD_INPUT. */
export async function allow(use: EdgeUse, name: string, reader: string | null, expiresAt: UnixMs): Promise<string> {
  const content = hex32.safeParse(name);
  const who = address.safeParse(reader ?? ANYBODY);
  if (!content.success) return fail('BAD_INPUT', `"${name}" is no name of a content; it begins with 0x`);
  if (!who.success) return fail('BAD_INPUT', `"${reader}" is no address of an account`);
  const value = { content: content.data, publisher: use.account, reader: who.data, expiresAt };
  return grantText({ value, signature: await use.sign('Grant', value) });
}

/** `wanted`: a content's name, or the word of its publisher. Throws as `openContent` and `fetchContent` do. */
export async function fetchPublished(
  use: EdgeUse,
  wanted: string,
  folder: string,
  overwrite = false,
): Promise<Fetched> {
  const { content, grant } = wantedOf(wanted);
  const reader = await openContent(content, readerOptions(use, grant), use.signal);
  try {
    const progress = (done: number, total: number) => use.progress(share(done, total));
    const fetched = await fetchContent(reader, { folder, overwrite, signal: use.signal, progress });
    use.say(`${folder}: ${fetched.files} files, ${fetched.bytes} bytes, ${fetched.fetchedBytes} of them fetched now`);
    return fetched;
  } finally {
    await use.payer.settle();
    reader.close();
  }
}

/** Serves what this account published, and what the words let it read. Throws BAD_INPUT and CONFLICT. */
export async function serveGateway(use: EdgeUse, words: readonly string[], port: number): Promise<Gateway> {
  const grants = new Map(words.map((word) => [parseGrant(word).value.content, word]));
  const open = (content: Hex32) => openContent(content, readerOptions(use, grants.get(content) ?? null));
  const gateway = await startGateway({ open, port, failed: (path, why) => use.say(`${path}: ${why}`) });
  use.say(`${gateway.url}/CONTENT/PATH`);
  for (const content of grants.keys()) use.say(`${gateway.url}/${content}/`);
  return gateway;
}
