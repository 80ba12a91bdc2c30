import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { dockerContainers } from '../../../agent/adapters/docker.ts';
import { sha256Hex } from '../../../core/keccak.ts';
import type { Address } from '../../../core/primitives.ts';
import { containerSpec } from '../../../core/sandbox.ts';
import { type Conversation, converse, progressIn } from '../../support/job.ts';
import { randomAddress, randomHex32 } from '../../support/random.ts';
import { makeClip, makePipedClip, probe, seccompProfile, transcodeWorkload } from '../../support/transcode.ts';

const run = promisify(execFile);
const FAST = { height: '240', preset: 'ultrafast', crf: '28' };
/** Its pieces are of 120 frames at most. */
const SMALL = { height: '240', preset: 'medium', crf: '28' };

const device: Address = randomAddress();
const containers = dockerContainers({ log: () => undefined });
let workload: Awaited<ReturnType<typeof transcodeWorkload>>;
let profile: string;
let folder: string;

type Job = {
  readonly params?: Readonly<Record<string, string>>;
  readonly saved?: readonly Buffer[];
  readonly endAfter?: number;
};

async function transcode(input: Buffer, { params = FAST, ...job }: Job = {}): Promise<Conversation> {
  const labels = { lease: randomHex32(), device, instance: 'one' };
  const share = { cpuCores: 2, memoryBytes: 1024 ** 3, pids: 512 };
  const container = await containers.run(containerSpec(workload, share, labels, profile));
  return converse(container, { input, params, ...job, end: () => containers.remove(container.containerId) });
}

/** A file that ffmpeg makes from a test picture with a tone. */
async function made(name: string, ...options: readonly string[]): Promise<Buffer> {
  const path = join(folder, name);
  await run('ffmpeg', [
    ...['-loglevel', 'error', '-y', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'],
    ...['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100', ...options, path],
  ]);
  return readFile(path);
}

/** Times of the pictures of a film in order, milliseconds, from its own beginning; those that it does not tell go on evenly. */
async function times(film: Buffer): Promise<readonly number[]> {
  const path = join(folder, 'probed');
  await writeFile(path, film);
  const entries = [
    '-select_streams',
    'v:0',
    '-show_entries',
    'frame=best_effort_timestamp_time:format=start_time',
    '-of',
    'json',
  ];
  const { stdout } = await run('ffprobe', ['-v', 'error', ...entries, path], { maxBuffer: 64 * 2 ** 20 });
  const read = JSON.parse(stdout) as {
    readonly frames: readonly { readonly best_effort_timestamp_time?: string }[];
    readonly format: { readonly start_time: string };
  };
  const start = Number(read.format.start_time);
  const told = read.frames.map((frame) => (Number(frame.best_effort_timestamp_time) - start) * 1000);
  return told.map((at, index) => Math.round(Number.isNaN(at) ? (told[index - 1] ?? -40) + 40 : at));
}

/** Every picture is there, once, at its time: two milliseconds are what the worst container rounds. */
async function expectSamePictures(of: Buffer, made: Buffer): Promise<void> {
  const [wanted, got] = [await times(of), await times(made)];
  expect(got).toHaveLength(wanted.length);
  const off = got.map((at, index) => Math.abs(at - (wanted[index] ?? 0)));
  expect(Math.max(...off)).toBeLessThanOrEqual(2);
}

beforeAll(async () => {
  workload = await transcodeWorkload();
  profile = await seccompProfile();
  folder = await mkdtemp(join(tmpdir(), 'idlemesh-transcode-'));
}, 60_000);

afterEach(async () => {
  for (const container of await containers.list(device)) await containers.remove(container.id);
});

afterAll(async () => {
  containers.close();
  await rm(folder, { recursive: true, force: true });
});

test('a clip becomes a playable file, twice the same bytes, with progress that grows', async () => {
  const path = join(folder, 'clip.mp4');
  await makeClip(path, 3);
  const clip = await readFile(path);
  const [first, second] = [await transcode(clip), await transcode(clip)];
  expect(first).toMatchObject({ code: 0 });
  expect(JSON.parse(first.lines.at(-1) ?? '')).toEqual({ done: true });
  const progress = progressIn(first.lines);
  expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
  expect(progress.filter((part) => part > 0 && part < 1).length).toBeGreaterThan(1);
  await writeFile(join(folder, 'out.mp4'), first.output);
  const media = await probe(join(folder, 'out.mp4'));
  expect(media).toMatchObject({ codecs: expect.arrayContaining(['h264', 'aac']), height: 240 });
  expect(media.seconds).toBeGreaterThan(2.9);
  expect(media.seconds).toBeLessThan(3.2);
  expect(sha256Hex(second.output)).toBe(sha256Hex(first.output));
}, 120_000);

test('a recording that does not say how long it is has progress too', async () => {
  const { lines, code } = await transcode(await makePipedClip(20));
  expect(code).toBe(0);
  expect(progressIn(lines).filter((part) => part > 0.02 && part < 0.98).length).toBeGreaterThan(0);
});

test.each([
  ['not a video', Buffer.from('#!/bin/sh\necho hello\n'), {}, 'not a video'],
  ['a parameter that is not offered', Buffer.from('x'), { height: '1080; reboot' }, 'height'],
])('%s fails with a reason', async (_name, input, params, reason) => {
  const { code, lines, output } = await transcode(input, { params: { ...FAST, ...params } });
  expect(code).not.toBe(0);
  expect(output).toHaveLength(0);
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ error: expect.stringContaining(reason) });
});

describe('however often it was ended and went on, a film is the same', () => {
  test.each<[string, readonly string[]]>([
    ['film.mp4', ['-t', '11', '-c:v', 'libx264', '-preset', 'veryfast', '-c:a', 'aac']],
    [
      'short-gop.mp4',
      ['-t', '11', '-c:v', 'libx264', '-g', '40', '-c:a', 'aac', '-movflags', '+frag_keyframe+empty_moov'],
    ],
    ['uneven.mkv', ['-t', '12', '-vf', "select='not(mod(n,7))+lt(mod(n,100),40)'", '-vsync', 'vfr', '-c:v', 'libx264']],
  ])(
    '%s',
    async (name, options) => {
      const film = await made(name, ...options);
      const whole = await transcode(film, { params: SMALL });
      expect(whole.code).toBe(0);
      await expectSamePictures(film, whole.output);
      const count = whole.checkpoints.length;
      expect(count).toBeGreaterThan(2);
      for (let have = 1; have <= count; have++) {
        const rest = await transcode(film, { params: SMALL, saved: whole.checkpoints.slice(0, have) });
        expect(rest.checkpoints).toHaveLength(count - have);
        expect(sha256Hex(rest.output)).toBe(sha256Hex(whole.output));
        const reached = progressIn(rest.lines);
        expect(reached).toEqual([...reached].sort((a, b) => a - b));
      }
    },
    120_000,
  );

  test('ended in the middle of every piece', async () => {
    const film = await made('often.mp4', '-t', '11', '-c:v', 'libx264', '-g', '30', '-c:a', 'aac');
    const whole = await transcode(film, { params: SMALL });
    let saved: readonly Buffer[] = [];
    for (;;) {
      const part: Conversation = await transcode(film, { params: SMALL, saved, endAfter: 1 });
      if (part.output.length > 0) {
        expect(sha256Hex(part.output)).toBe(sha256Hex(whole.output));
        break;
      }
      expect(part.checkpoints.length).toBeGreaterThan(0);
      saved = [...saved, ...part.checkpoints];
    }
    expect(saved.length).toBe(whole.checkpoints.length);
  }, 120_000);
});

describe('every picture is there, at its time', () => {
  test.each<[string, readonly string[]]>([
    ['silent.webm', ['-t', '6', '-an', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8']],
    ['odd.mp4', ['-t', '6', '-vf', 'crop=319:177', '-pix_fmt', 'yuv444p', '-c:v', 'libx264', '-preset', 'ultrafast']],
    ['old.avi', ['-t', '6', '-c:v', 'mpeg4', '-bf', '2', '-c:a', 'mp2']],
    ['air.ts', ['-t', '6', '-c:v', 'mpeg2video', '-bf', '2', '-c:a', 'mp2']],
    ['stream.flv', ['-t', '6', '-c:v', 'libx264', '-preset', 'veryfast', '-c:a', 'aac']],
    ['fast.mov', ['-t', '6', '-r', '60', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-c:a', 'pcm_s16le']],
    ['slow.mp4', ['-t', '40', '-vf', 'fps=1/6', '-an', '-c:v', 'libx264']],
    ['one.mp4', ['-frames:v', '1', '-an', '-c:v', 'libx264']],
    ['late.mkv', ['-t', '6', '-output_ts_offset', '1000', '-c:v', 'libx264', '-c:a', 'aac']],
    ['odd-sound.ts', ['-t', '10', '-c:v', 'libx264', '-bf', '2', '-c:a', 'pcm_bluray', '-ar', '48000', '-f', 'mpegts']],
    ['long-sound.mp4', ['-t', '9', '-vf', 'trim=end=3', '-c:v', 'libx264', '-c:a', 'aac']],
  ])('of %s', async (name, options) => {
    const film = await made(name, ...options);
    const { output, code, lines } = await transcode(film, { params: SMALL });
    expect([code, lines.at(-1)]).toEqual([0, '{"done":true}']);
    await expectSamePictures(film, output);
  });
});

test.each<[string, (good: readonly Buffer[]) => readonly Buffer[], string]>([
  ['no frame', () => [Buffer.from('{"frame":"else","bytes":1}\nx')], 'not in a frame'],
  ['no transport stream', () => [Buffer.from('{"frame":"checkpoint","bytes":3}\nabc')], 'not one of these'],
  ['one too many', (good) => [...good, ...good], 'more checkpoints than pieces'],
])('a checkpoint that is %s is refused with a reason', async (_name, spoil, reason) => {
  const film = await made('good.mp4', '-t', '2', '-an', '-c:v', 'libx264');
  const { checkpoints } = await transcode(film);
  const { code, lines, output } = await transcode(film, { saved: spoil(checkpoints) });
  expect(code).not.toBe(0);
  expect(output).toHaveLength(0);
  expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ error: expect.stringContaining(reason) });
});
