import { cpus } from 'node:os';
import { serviceStage } from '../support/service.ts';
import { percentile } from './yield/figures.ts';

/**
 * How fast a container's bytes come out of its door: raw, through HTTP/2 on one stream, and on 32 streams, in turns.
 * `--mib=64` in each turn, `--turns=5`.
 */
const MIB = 1024 * 1024;
const STREAMS = 32;
const option = (name: string, fallback: number): number =>
  Number(process.argv.find((word) => word.startsWith(`--${name}=`))?.split('=')[1] ?? fallback);
const bytes = option('mib', 64) * MIB;

async function counted(body: AsyncIterable<Uint8Array>): Promise<number> {
  let seen = 0;
  for await (const chunk of body) seen += chunk.length;
  return seen;
}

/** MiB a second, from the first byte asked for to the last. */
async function rate(work: () => Promise<number>): Promise<number> {
  const begun = performance.now();
  const seen = await work();
  if (seen !== bytes) throw new Error(`${seen} bytes came out, and not ${bytes}`);
  return seen / MIB / ((performance.now() - begun) / 1000);
}

const stage = await serviceStage(2);
try {
  const raw: number[] = [];
  const one: number[] = [];
  const many: number[] = [];
  const { service } = await stage.open();
  const get = async (size: number): Promise<number> => {
    const { body } = await service.request({ method: 'GET', path: `/bytes?bytes=${size}`, maxAnswerBytes: size });
    return counted(body);
  };
  for (let turn = 0; turn < option('turns', 5); turn++) {
    const plain = await stage.start([`PLAIN=${bytes}`]);
    const stdout = plain.stdout[Symbol.asyncIterator]();
    // The start of its program is not the door's.
    const first = (await stdout.next()).value?.length ?? 0;
    raw.push(await rate(async () => first + (await counted({ [Symbol.asyncIterator]: () => stdout }))));
    await stage.containers.remove(plain.containerId);
    one.push(await rate(() => get(bytes)));
    many.push(
      await rate(async () => {
        const all = await Promise.all(Array.from({ length: STREAMS }, () => get(bytes / STREAMS)));
        return all.reduce((sum, seen) => sum + seen, 0);
      }),
    );
  }
  const pings: number[] = [];
  for (let count = 0; count < 50; count++) pings.push(await service.ping());
  const median = (values: readonly number[]): number => Math.round(percentile(values, 50) * 10) / 10;
  const figures = {
    ...{ rawMiBps: median(raw), http2MiBps: median(one), http2Of32StreamsMiBps: median(many) },
    ...{ pingP50Ms: Math.round(percentile(pings, 50) * 100) / 100, cores: cpus().length },
    turns: { raw, one, many },
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
} finally {
  await stage.close();
}
