import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A film with motion and noise, a key frame every ten seconds at most, as a recorder's defaults make it. */
export async function makeFilm(path: string, seconds: number): Promise<void> {
  const picture = 'mandelbrot=size=1280x720:rate=30:maxiter=400';
  await promisify(execFile)('ffmpeg', [
    ...['-loglevel', 'error', '-y', '-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', 'sine=frequency=440'],
    ...['-t', `${seconds}`, '-vf', 'noise=alls=4:allf=t:all_seed=1,format=yuv420p'],
    ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-g', '300', '-c:a', 'aac', path],
  ]);
}
