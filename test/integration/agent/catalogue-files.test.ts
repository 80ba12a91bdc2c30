import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { catalogueFiles, readEnvelope } from '../../../agent/adapters/catalogue-files.ts';
import type { CatalogueShelf } from '../../../agent/ports.ts';
import { MAX_ENVELOPE_LENGTH, NO_KEYS } from '../../../core/dsse.ts';
import { readRelease } from '../../../core/release.ts';
import { KEYRING, signedFiles } from '../../support/signed.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-catalogue-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const shelf = (names: {
  readonly catalogueFile: string;
  readonly catalogueKeysFile: string;
}): Promise<CatalogueShelf> =>
  catalogueFiles({
    ...{ folder, catalogueFile: names.catalogueFile, keysFile: names.catalogueKeysFile },
    log: () => undefined,
  });
const at = (name: string): string => join(folder, name);

test('signed files are read and found genuine; absent and broken ones are no keys and no catalogue', async () => {
  const found = await shelf(await signedFiles(folder, []));
  expect(found.keys).toEqual(KEYRING);
  expect(readRelease(await found.bundled(), found)).toMatchObject({ kind: 'genuine' });
  const nothing = await shelf({ catalogueFile: at('none'), catalogueKeysFile: at('none') });
  expect([nothing.keys, await nothing.bundled(), await nothing.kept()]).toEqual([NO_KEYS, null, null]);
  await writeFile(at('broken.json'), '{"threshold":1,"keys":[]}');
  expect((await shelf({ catalogueFile: at('none'), catalogueKeysFile: at('broken.json') })).keys).toEqual(NO_KEYS);
});

test('a giant file is read no further than it takes to refuse it', async () => {
  const found = await shelf(await signedFiles(folder, []));
  await writeFile(at('catalogue.json'), Buffer.alloc(64 * MAX_ENVELOPE_LENGTH, ' '));
  const text = await readEnvelope(at('catalogue.json'));
  expect(text?.length).toBe(MAX_ENVELOPE_LENGTH + 1);
  expect(readRelease(text, found)).toMatchObject({ why: { kind: 'too-large' } });
});

test('what was said to be kept is there after kill -9, whole', async () => {
  let highest = 0;
  for (const wait of [300, 450, 620, 910]) {
    const home = await mkdtemp(join(folder, 'home-'));
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, '../../support/catalogue-child.ts'), home],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    await once(child.stdout, 'data');
    await delay(wait);
    child.kill('SIGKILL');
    await once(child, 'close');
    const last = Number(said.trimEnd().split('\n').at(-1));
    const kept = await (
      await catalogueFiles({ folder: home, catalogueFile: '', keysFile: at('none'), log: () => undefined })
    ).kept();
    // One more may have been on its way to the disk.
    expect([last, last + 1]).toContain(kept?.version);
    expect(kept?.envelope).toBe(`${kept?.version} `.repeat(20_000));
    highest = Math.max(highest, last);
    expect((await readdir(home)).filter((name) => name === 'catalogue-kept.json')).toHaveLength(1);
  }
  // The control: it was killed while it wrote, and not before.
  expect(highest).toBeGreaterThan(10);
});
