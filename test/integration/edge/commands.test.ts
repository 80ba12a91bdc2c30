import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Consumer } from '../../../cli/consumer.ts';
import { allow, type EdgeUse, fetchPublished, publish, serveGateway } from '../../../cli/edge/commands.ts';
import { networkPlaces } from '../../../cli/edge/places.ts';
import { EdgeStage } from '../../support/edge-stage.ts';

const LATER = Date.now() + 3_600_000;

function stagedUse(consumer: Consumer) {
  const said: string[] = [];
  const parts: number[] = [];
  const use: EdgeUse = {
    ...{ places: networkPlaces(consumer), account: consumer.address, sign: consumer.prove },
    ...{ payer: { received: () => undefined, settle: async () => undefined }, signal: new AbortController().signal },
    say: (line) => void said.push(line),
    progress: (part) => void parts.push(part),
  };
  return { use, said, parts };
}

describe('the commands on published content', () => {
  let stage: EdgeStage;
  let work: string;
  beforeAll(async () => {
    stage = await EdgeStage.start(2);
    work = await mkdtemp(join(tmpdir(), 'idlemesh-commands-'));
  }, 120_000);
  afterAll(async () => {
    await stage.stop();
    await rm(work, { recursive: true, force: true });
  });

  it('publish, allow, fetch and serve', async () => {
    const [own, other] = [stagedUse(await stage.reader()), stagedUse(await stage.reader())];
    const film = randomBytes(2_500_000);
    const folder = await mkdtemp(join(work, 'site-'));
    await writeFile(join(folder, 'film.bin'), film);
    await writeFile(join(folder, 'index.html'), 'front');
    const { content, devices } = await publish(own.use, folder, 3);
    expect(devices).toHaveLength(2);
    expect(own.said).toEqual([
      `${content}: 2 files, ${film.length + 5} bytes, on 2 devices`,
      expect.stringContaining('publish it again later'),
    ]);
    for (const part of own.parts) expect(part).toBeLessThanOrEqual(1);

    const word = await allow(own.use, content, other.use.account, LATER);
    const out = join(work, 'out');
    expect(await fetchPublished(other.use, word, out)).toMatchObject({ files: 2, fetchedBytes: film.length + 5 });
    expect(other.parts.at(-1)).toBe(1);
    expect(film.equals(await readFile(join(out, 'film.bin')))).toBe(true);
    expect(await fetchPublished(own.use, content, out)).toMatchObject({ fetchedBytes: 0 });
    await expect(fetchPublished(other.use, content, out)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(fetchPublished(other.use, 'film', out)).rejects.toMatchObject({ code: 'BAD_INPUT' });

    const gateway = await serveGateway(other.use, [await allow(own.use, content, null, LATER)], 0);
    expect(other.said.at(-1)).toBe(`${gateway.url}/${content}/`);
    expect(await (await fetch(`${gateway.url}/${content}/`)).text()).toBe('front');
    await gateway.close();
    await expect(allow(own.use, 'site', null, LATER)).rejects.toMatchObject({ code: 'BAD_INPUT' });
    await expect(allow(own.use, content, 'me', LATER)).rejects.toMatchObject({ code: 'BAD_INPUT' });
  });
});
