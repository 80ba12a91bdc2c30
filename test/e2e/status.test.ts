import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PAGE_POLICY, statusPage } from '../../coordinator/status-page.ts';
import type { NetworkStatus } from '../../core/status.ts';
import { aboutNetwork, busyStatus, newStatus, troubledStatus } from '../fakes/status.ts';
import type { App } from './support/app.ts';
import { barriers } from './support/barriers.ts';
import { launchEmpty, SHOTS } from './support/fake-app.ts';
import { until } from './support/until.ts';

const SCENES: Readonly<Record<string, NetworkStatus>> = { busy: busyStatus, fresh: newStatus, trouble: troubledStatus };

describe("a network's status page", () => {
  const folder = mkdtempSync(join(tmpdir(), 'idlemesh-status-'));
  const complaints: string[] = [];
  let app: App;
  let page: Page;
  let server: Server;
  let url: string;
  beforeAll(async () => {
    mkdirSync(SHOTS, { recursive: true });
    server = createServer((request, response) => {
      const status = SCENES[(request.url ?? '').slice(1)];
      if (status === undefined) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': PAGE_POLICY });
      return response.end(statusPage(status, aboutNetwork));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const at = server.address();
    url = `http://127.0.0.1:${typeof at === 'object' && at !== null ? at.port : 0}`;
    app = await launchEmpty(folder);
    page = await app.window();
    page.on('console', (message) => {
      // A browser asks for an icon by itself.
      if (message.type() === 'error' && !message.location().url.endsWith('favicon.ico'))
        complaints.push(message.text());
    });
  });
  afterAll(async () => {
    await app?.dispose();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** What is wider than the window. */
  const wide = (): Promise<readonly string[]> =>
    page.evaluate(() =>
      [...document.querySelectorAll<HTMLElement>('body *:not(svg *):not(thead *):not(thead)')]
        .filter((each) => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
        .map((each) => `${each.tagName} ${each.className} ${each.textContent.slice(0, 40)}`),
    );

  for (const scene of Object.keys(SCENES)) {
    for (const width of [1280, 420]) {
      it(`shows a ${scene} network ${width} pixels wide, by day and by night, and keeps nobody out`, async () => {
        await app.resize({ x: 0, y: 0, width, height: 900 });
        await until('the width', () => page.evaluate((wanted) => window.innerWidth === wanted, width));
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          await page.goto(`${url}/${scene}`);
          expect(await wide()).toEqual([]);
          expect(await barriers(page)).toEqual([]);
          await page.screenshot({ path: join(SHOTS, `status-${scene}-${width}-${colorScheme}.png`), fullPage: true });
        }
        expect(complaints).toEqual([]);
      });
    }
  }
});
