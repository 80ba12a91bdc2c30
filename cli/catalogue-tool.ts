import { readFile, writeFile } from 'node:fs/promises';
import { Command, InvalidArgumentError } from 'commander';
import { writeFileAtomic } from '../agent/adapters/files.ts';
import { type Envelope, fromBase64, keyring, parseJson } from '../core/dsse.ts';
import { asFailure, fail, isFailure } from '../core/errors.ts';
import { ENGINE_PLATFORMS } from '../core/release.ts';
import { loadCatalogue } from './catalogue.ts';
import { signPractice } from './practice-catalogue.ts';
import { checkDraft, draft, readContent } from './release.ts';
import {
  addSignature,
  encodeEnvelope,
  mergeSignatures,
  newKey,
  publicPart,
  readEnvelopeText,
  readKey,
  wrap,
} from './signing.ts';

/**
 * Makes and checks signed catalogues (docs/releasing-the-catalogue.md). A program of its own, apart from the `idlemesh` command:
 * it reads private keys, and no program that talks to a network does.
 */
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const whole = (text: string): number => {
  if (!/^[1-9]\d{0,9}$/.test(text)) throw new InvalidArgumentError('expected a whole number from 1 on');
  return Number(text);
};

const text = (path: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => fail('NOT_FOUND', `${path} cannot be read`, { path }, error));

const payloadOf = (signed: Envelope): Uint8Array =>
  fromBase64(signed.payload) ?? fail('BAD_INPUT', 'the payload is not base64');

const day = (seconds: number): string => new Date(seconds * 1000).toISOString();

/** What a person should read before signing, and after. */
function describe(signed: Envelope): void {
  const { version, issuedAt, expiresAt, minimums, entries } = checkDraft(payloadOf(signed));
  say(`version ${version}, issued ${day(issuedAt)}, valid until ${day(expiresAt)}`);
  for (const { component, minimum, accepted } of minimums) {
    say(`  ${component} from ${minimum} on${accepted.length === 0 ? '' : `, or ${accepted.join(', ')}`}`);
  }
  for (const { id, version: of, lane, images } of entries) {
    say(`  ${id}@${of} (${lane})`);
    for (const platform of ENGINE_PLATFORMS) {
      const image = images[platform];
      if (image === undefined) continue;
      const from = image.pull === null ? 'not to be pulled' : `${image.pull.repository}@${image.pull.digest}`;
      say(`    ${platform} ${image.id} (${from})`);
    }
  }
  for (const { keyid } of signed.signatures) say(`  signature of ${keyid}`);
}

const program = new Command('catalogue').description('makes, signs and checks catalogues').showHelpAfterError();

program
  .command('keygen')
  .description('make a key pair: the private part in a file for its owner alone, the public part beside it')
  .requiredOption('--out <file>', 'of the private part; the public part gets .pub.json added')
  .action(async ({ out }: { readonly out: string }) => {
    const pem = newKey();
    await writeFile(out, pem, { mode: 0o600, flag: 'wx' }).catch((error: unknown) =>
      fail('CONFLICT', `${out} is there already, or cannot be written; a key is never overwritten`, {}, error),
    );
    const known = publicPart(readKey(pem));
    await writeFileAtomic(`${out}.pub.json`, `${JSON.stringify(known, null, 2)}\n`);
    say(`key ${known.keyid}: keep ${out} to yourself, hand on ${out}.pub.json`);
  });

program
  .command('keyring')
  .description('put public parts together: the keys that a build trusts')
  .argument('<public...>', 'public parts')
  .requiredOption('--out <file>', 'such as resources/catalogue-keys.json')
  .option('--threshold <number>', 'keys that must have signed', whole, 2)
  .action(
    async (paths: readonly string[], { out, threshold }: { readonly out: string; readonly threshold: number }) => {
      const keys = await Promise.all(paths.map(async (path) => parseJson(await text(path))));
      const ring = keyring.safeParse({ threshold, keys });
      if (!ring.success) fail('BAD_INPUT', `these make no keyring: ${ring.error.issues[0]?.message}`);
      await writeFileAtomic(out, `${JSON.stringify(ring.data, null, 2)}\n`);
      say(`${threshold} of ${keys.length} keys`);
    },
  );

program
  .command('draft')
  .description('make a release that nobody has signed yet')
  .requiredOption('--content <file>', 'JSON: entries and minimums')
  .requiredOption('--version <number>', 'above that of the release before', whole)
  .option('--days <number>', 'for which it is valid', whole, 90)
  .requiredOption('--out <file>', 'the draft')
  .action(
    async (given: {
      readonly content: string;
      readonly version: number;
      readonly days: number;
      readonly out: string;
    }) => {
      const made = wrap(draft(readContent(await text(given.content)), given.version, Date.now(), given.days));
      await writeFileAtomic(given.out, encodeEnvelope(made));
      describe(made);
    },
  );

program
  .command('sign')
  .description('add a signature to a draft; everybody signs the same one')
  .argument('<file>', 'the draft')
  .requiredOption('--key <file>', 'the private part of a key')
  .requiredOption('--out <file>', 'the signed file')
  .action(async (file: string, { key, out }: { readonly key: string; readonly out: string }) => {
    const before = readEnvelopeText(await text(file));
    checkDraft(payloadOf(before));
    const signed = addSignature(before, readKey(await text(key)));
    await writeFileAtomic(out, encodeEnvelope(signed));
    describe(signed);
  });

program
  .command('merge')
  .description('put the signatures of several files on one draft together')
  .argument('<files...>', 'signed files')
  .requiredOption('--out <file>', 'with all signatures')
  .action(async (files: readonly string[], { out }: { readonly out: string }) => {
    const all = await Promise.all(files.map(async (file) => readEnvelopeText(await text(file))));
    const merged = mergeSignatures(all);
    await writeFileAtomic(out, encodeEnvelope(merged));
    describe(merged);
  });

program
  .command('show')
  .description('what a file holds, whoever has signed it')
  .argument('<file>', 'a draft or a signed file')
  .action(async (file: string) => describe(readEnvelopeText(await text(file))));

program
  .command('verify')
  .description('whether a build with these keys would take it now')
  .argument('<file>', 'a signed file')
  .requiredOption('--keys <file>', 'the keys that the build trusts')
  .action(async (file: string, { keys }: { readonly keys: string }) => {
    const source = { catalogueFile: file, catalogueKeysFile: keys };
    await loadCatalogue(source, Date.now());
    say(`${file} is signed by enough keys of ${keys}, and is in force now`);
  });

program
  .command('practice', { hidden: true })
  .description("sign set-up's content with this machine's own keys")
  .requiredOption('--content <file>', 'JSON: entries and minimums')
  .requiredOption('--folder <dir>', 'keys, keyring and catalogue')
  .action(async ({ content, folder }: { readonly content: string; readonly folder: string }) => {
    say(await signPractice(folder, readContent(await text(content)), Date.now()));
  });

program.parseAsync().catch((error: unknown) => {
  const { message } = asFailure(error);
  process.stderr.write(`catalogue: ${message}${isFailure(error) ? '' : ' (this is a bug)'}\n`);
  process.exitCode = 1;
});
