#!/usr/bin/env node
// The `idlemesh` command. The sources are TypeScript that a Node of 22.18 or later runs as they are; with an older one,
// the Node that set-up brought is used.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { newEnoughNode } from '../scripts/lib/node.mjs';

const node = await newEnoughNode();
const entry = fileURLToPath(new URL('./index.ts', import.meta.url));
// In this very process where it can be: who stops it (a service manager, a container's engine) signals this one.
if (node === process.execPath && Number(process.versions.node.split('.')[0]) >= 24) {
  await import('./index.ts');
} else {
  const run = spawnSync(node, ['--disable-warning=ExperimentalWarning', entry, ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  process.exitCode = run.status ?? 1;
}
