import { execFile } from 'node:child_process';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fail } from '../core/errors.ts';

/** Seconds of video in a clip; long enough to see its progress (a core takes about 4 s for it). */
const SECONDS = 24;

/**
 * Makes one test clip (moving pattern, tone) with the ffmpeg of the transcode image, so that the machine needs none of its
 * own. The same seed gives the same pattern; a clip that exists is not made again. `image` is a tag or content id.
 */
export async function makeClip(dir: string, image: string, seed: number, seconds = SECONDS): Promise<string> {
  await mkdir(dir, { recursive: true });
  const path = join(dir, `clip-${seed}-${seconds}s.mkv`);
  if (
    await stat(path).then(
      () => true,
      () => false,
    )
  )
    return path;
  const pattern = `testsrc2=size=640x360:rate=25:duration=${seconds},hue=h=${(seed * 47) % 360},noise=alls=8:allf=t:all_seed=${seed}`;
  const tone = `sine=frequency=${220 + seed * 55}:duration=${seconds}`;
  const video = await dockerOutput([
    ...['run', '--rm', '--network', 'none', '--read-only', '--cap-drop', 'ALL', '--user', '65534:65534'],
    ...['--cpus', '1', '--cpu-shares', '2', '--memory', '512m', '--pids-limit', '64', '--entrypoint', 'ffmpeg', image],
    ...['-v', 'error', '-f', 'lavfi', '-i', pattern, '-f', 'lavfi', '-i', tone],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-crf', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-b:a', '64k'],
    ...['-threads', '1', '-f', 'matroska', 'pipe:1'],
  ]);
  const partial = `${path}.part`;
  await writeFile(partial, video);
  await rename(partial, path);
  return path;
}

function dockerOutput(args: readonly string[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    execFile(
      'docker',
      args,
      { encoding: 'buffer', maxBuffer: 256 * 1024 * 1024, timeout: 300_000 },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        try {
          fail('ENGINE_AWAY', `docker could not make a practice clip: ${stderr.toString().trim() || error.message}`);
        } catch (failure) {
          reject(failure);
        }
      },
    );
  });
}
