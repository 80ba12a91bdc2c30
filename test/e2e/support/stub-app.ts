import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';
import { ROOT } from './app.ts';

/** Builds the shell around the stub agent into `folder`, laid out like the app. */
export async function buildStubApp(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'idlemesh-stub', version: '0.0.1', main: 'out/main/index.cjs' }),
  );
  cpSync(join(ROOT, 'resources'), join(folder, 'resources'), { recursive: true });
  cpSync(join(ROOT, 'out', 'renderer'), join(folder, 'out', 'renderer'), { recursive: true });
  cpSync(join(ROOT, 'out', 'preload'), join(folder, 'out', 'preload'), { recursive: true });
  await build({
    configFile: false,
    root: ROOT,
    logLevel: 'error',
    build: {
      ssr: join(ROOT, 'test', 'e2e', 'support', 'stub-main.ts'),
      target: 'node18',
      outDir: join(folder, 'out', 'main'),
      rolldownOptions: {
        external: ['electron'],
        output: { format: 'cjs', entryFileNames: 'index.cjs', codeSplitting: false },
      },
    },
    ssr: { noExternal: true },
  });
  return folder;
}
