import type { Containers } from '../../../agent/ports.ts';
import type { ContainerSpec } from '../../../core/sandbox.ts';

type Params = Readonly<Record<string, string>>;

/** The same film in one go, as it would be without checkpoints: the same encoders with the same settings. */
const SCRIPT = `
IFS= read -r bytes; head -c "$bytes" >/tmp/input
export GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4
nice -n 19 ffmpeg -nostdin -loglevel error -cpuflags mmx+mmxext+sse+sse2+sse3+ssse3 -threads 2 -i /tmp/input \
  -map 0:v:0 -map '0:a:0?' -sn -dn -map_metadata -1 -map_chapters -1 -filter_threads 1 \
  -vf "scale=-2:'2*trunc(min($HEIGHT,ih)/2)':flags=bicubic+accurate_rnd+bitexact,format=yuv420p" \
  -c:v libx264 -preset "$PRESET" -crf "$CRF" -threads 4 -x264-params threads=4:lookahead-threads=1:sync-lookahead=0 \
  -flags:v +bitexact -c:a aac -b:a 128k -ac 2 -ar 48000 -flags:a +bitexact -fflags +bitexact -movflags +faststart \
  -f mp4 -y /tmp/output </dev/null && cat /tmp/output`;

export async function singlePass(
  containers: Containers,
  spec: ContainerSpec,
  input: Buffer,
  params: Params,
): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const env = Object.entries(params).map(([name, value]) => `${name.toUpperCase()}=${value}`);
  const shell = { ...spec, Env: [...spec.Env, ...env], Entrypoint: ['/bin/sh', '-c', SCRIPT] };
  const begun = performance.now();
  const run = await containers.run(shell);
  let bytes = 0;
  const errors: string[] = [];
  const said = (async () => {
    for await (const line of run.stderr) errors.push(line);
  })();
  const read = (async () => {
    for await (const chunk of run.stdout) bytes += chunk.length;
  })();
  await run.write(Buffer.from(`${input.length}\n`));
  await run.write(input);
  await Promise.all([said, read]);
  const { code } = await run.exited;
  const seconds = (performance.now() - begun) / 1000;
  await containers.remove(run.containerId);
  if (code !== 0 || bytes === 0) throw new Error(`the single pass failed (${code}): ${errors.join(' ')}`);
  return { seconds, bytes };
}
