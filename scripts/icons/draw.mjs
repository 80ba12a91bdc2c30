// Draws the product's icons anew from resources/icons/*.svg: PNG in every size, and the containers of Windows and macOS.
// The results are committed; run it after changing a drawing: node scripts/icons/draw.mjs
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasDisplay, onVirtualDisplay } from '../lib/display.mjs';
import { electronProgram } from '../lib/electron.mjs';
import { underNewNode } from '../lib/node.mjs';
import { root } from '../lib/paths.mjs';
import { must } from '../lib/run.mjs';
import { setUp } from '../lib/setup.mjs';
import { command } from '../lib/step.mjs';
import { isRoot } from '../lib/system.mjs';
import { ICNS_SIZES, ICO_SIZES, icns, ico } from './containers.mjs';

const SIZES = [16, 24, 32, 48, 64, 96, 128, 256, 512, 1024];

/** The picture that windows carry, resources/icon.png. Pixels. */
const WINDOW_SIZE = 256;

/** From this size on the fine lines can be seen; below it a bolder drawing is used. Pixels. */
const FINE_FROM = 64;

await command(async () => {
  if (!(await underNewNode(import.meta.url))) return;
  await setUp(['packages', 'electron', 'display']);
  const dir = join(root, 'resources/icons');
  /** @param {number} size */
  const file = (size) => join(dir, `${size}x${size}.png`);
  const orders = SIZES.map((size) => ({
    svg: join(dir, size < FINE_FROM ? 'icon-small.svg' : 'icon.svg'),
    png: file(size),
    size,
  }));
  const flags = isRoot() ? ['--no-sandbox'] : [];
  const words = [electronProgram(), ...flags, join(root, 'scripts/icons/render.cjs'), JSON.stringify(orders)];
  const [program = '', args = []] = hasDisplay() ? [words[0], words.slice(1)] : onVirtualDisplay(words);
  await must('Drawing the icons', 'Read the message above.', program, args, { timeoutMs: 120_000 });
  /** @param {number} size */
  const image = (size) => ({ size, png: readFileSync(file(size)) });
  writeFileSync(join(root, 'resources/icon.png'), readFileSync(file(WINDOW_SIZE)));
  writeFileSync(join(dir, 'icon.ico'), ico(ICO_SIZES.map(image)));
  writeFileSync(join(dir, 'icon.icns'), icns(ICNS_SIZES.map(image)));
});
