import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join, resolve } from 'node:path';
import { stdout } from 'node:process';
import react from '@vitejs/plugin-react';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build } from 'vite';

/**
 * Draws every view of the window in a real Chromium over a fake application, writes a picture of each and runs axe on it:
 * `node test/e2e/support/window-shots.ts FOLDER [SCENE…]`. Exits with 1 if axe finds a serious fault or a script is refused.
 */

const ROOT = resolve(import.meta.dirname, '../../..');
const OUT = join(ROOT, '.cache/window');
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };
const VIEWS = ['overview', 'earnings', 'limits', 'wallet', 'settings'] as const;
const WIDTHS = [1040, 420] as const;
const LANGUAGES = ['en', 'ja'] as const;
const THEMES = ['dark', 'light'] as const;
/** Beside every view while sharing: the scenes that a view tells differently. */
const EXTRA: readonly (readonly [string, number])[] = [
  ['waiting', 0],
  ['countdown', 0],
  ['paused', 0],
  ['first', 0],
  ['first', 1],
  ['attention', 0],
  ['attention', 1],
  ['attention', 3],
  ['problems', 0],
  ['problems', 3],
  ['signing', 3],
  ['confirming', 3],
  ['done', 3],
  ['failed', 3],
];

type Scene = {
  readonly scene: string;
  readonly view: number;
  readonly width: number;
  readonly language: string;
  readonly theme: string;
};

async function buildAll(): Promise<string> {
  const common = { configFile: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"' } } as const;
  await build({
    ...common,
    root: join(ROOT, 'renderer'),
    base: './',
    plugins: [react()],
    build: { outDir: join(OUT, 'app'), emptyOutDir: true, target: 'chrome114' },
  });
  await build({
    ...common,
    root: ROOT,
    publicDir: false,
    build: {
      outDir: join(OUT, 'fake'),
      emptyOutDir: true,
      target: 'chrome114',
      lib: {
        entry: join(ROOT, 'test/e2e/support/fake-window.ts'),
        formats: ['iife'],
        name: 'fake',
        fileName: () => 'fake.js',
      },
    },
  });
  return await readFile(join(OUT, 'fake/fake.js'), 'utf8');
}

async function draw(
  browser: Browser,
  url: string,
  fake: string,
  axe: string,
  scene: Scene,
  folder: string,
): Promise<number> {
  const page = await browser.newPage({ viewport: { width: scene.width, height: 720 }, bypassCSP: false });
  const refused: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') refused.push(message.text());
  });
  page.on('pageerror', (error) => refused.push(error.message));
  await page.addInitScript(`window.idlemeshScene = ${JSON.stringify(scene)};`);
  await page.addInitScript(fake);
  await page.goto(url);
  await page.locator('nav button').nth(scene.view).click();
  await page.locator('.page').waitFor();
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .map((each) =>
          each.effect?.getComputedTiming().iterations === Number.POSITIVE_INFINITY ? null : each.finished,
        ),
    ),
  );
  const name = `${VIEWS[scene.view]}-${scene.scene}-${scene.width}-${scene.theme}-${scene.language}`;
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage: scene.width !== 1040 || scene.view !== 0 });
  const faults = [...refused, ...(await audit(page, axe)), ...(await overflow(page))];
  for (const fault of faults) stdout.write(`${name}: ${fault}\n`);
  await page.close();
  return faults.length;
}

async function audit(page: Page, axe: string): Promise<readonly string[]> {
  await page.evaluate(axe);
  return await page.evaluate(async () => {
    const { axe: runner } = window as typeof window & {
      axe: {
        run: () => Promise<{
          violations: { id: string; impact: string; nodes: { html: string; failureSummary: string }[] }[];
        }>;
      };
    };
    const { violations } = await runner.run();
    return violations.map(
      ({ id, impact, nodes }) =>
        `${impact} ${id}: ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary.slice(0, 300)}`,
    );
  });
}

async function overflow(page: Page): Promise<readonly string[]> {
  return await page.evaluate(() =>
    document.documentElement.scrollWidth > window.innerWidth
      ? [`wider than the window: ${document.documentElement.scrollWidth}`]
      : [],
  );
}

const [, , folder = join(ROOT, '.cache/shots'), ...wanted] = process.argv;
await mkdir(folder, { recursive: true });
const fake = await buildAll();
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const server = createServer((request, response) => {
  const path = request.url === '/' ? '/index.html' : (request.url ?? '/');
  readFile(join(OUT, 'app', path)).then(
    (body) => response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body),
    () => response.writeHead(404).end(),
  );
});
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
const at = server.address();
const url = `http://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}/`;
const browser = await chromium.launch({
  executablePath: process.env['IDLEMESH_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
let faults = 0;
const scenes: (readonly [string, number])[] = [...VIEWS.map((_view, view) => ['sharing', view] as const), ...EXTRA];
for (const [scene, view] of scenes.filter(([name]) => wanted.length === 0 || wanted.includes(name)))
  for (const width of WIDTHS)
    for (const language of LANGUAGES)
      for (const theme of THEMES)
        faults += await draw(browser, url, fake, axe, { scene, view, width, language, theme }, folder);
await browser.close();
server.close();
stdout.write(`${faults} faults\n`);
process.exitCode = faults === 0 ? 0 : 1;
