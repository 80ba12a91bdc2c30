import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onVirtualDisplay, testTools } from '../../scripts/lib/display.mjs';

/**
 * How long `npm start` takes until the window is visible, by the display server's own word (`xdotool search --sync`), set-up's
 * checks and the practice network's start included. The first start makes the network's data; the others find it.
 */
const AGAIN = 5;
const INNER = '--on-this-display';
const start = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url));

async function ended(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'exit');
  return Number(code ?? 1);
}

/** Milliseconds from the command to its visible window. */
async function windowAfter(dataDir: string): Promise<number> {
  const began = performance.now();
  const app = spawn(process.execPath, [start, '--data', dataDir], { stdio: ['ignore', 'ignore', 'inherit'] });
  const over = once(app, 'exit');
  const seen = await Promise.race([
    ended('timeout', ['120', 'sh', '-c', 'xdotool search --sync --onlyvisible --name Idlemesh >/dev/null']),
    over.then(() => 1),
  ]);
  const took = performance.now() - began;
  app.kill('SIGINT');
  await over;
  if (seen !== 0) throw new Error('the window never came');
  return took;
}

async function measure(): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'idlemesh-bench-start-'));
  try {
    const firstMs = await windowAfter(dataDir);
    const again: number[] = [];
    for (let run = 0; run < AGAIN; run++) again.push(await windowAfter(dataDir));
    again.sort((a, b) => a - b);
    const figures = {
      firstMs: Math.round(firstMs),
      againP50Ms: Math.round(again[Math.floor(AGAIN / 2)] ?? 0),
      againMaxMs: Math.round(again.at(-1) ?? 0),
      runs: AGAIN,
    };
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

if (process.argv.includes(INNER)) await measure();
else {
  await testTools(['Xvfb', 'xauth', 'dbus-run-session', 'dbus-launch', 'xdotool']);
  const [command = '', args] = onVirtualDisplay([process.execPath, fileURLToPath(import.meta.url), INNER]);
  process.exitCode = await ended(command, args);
}
