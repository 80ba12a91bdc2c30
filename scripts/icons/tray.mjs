// Draws resources/tray: the product's mark, its states told apart by shape first and colour second. The results are
// committed; run it after changing a drawing: node scripts/icons/tray.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { any, box, disc, png, ring, wedge, without } from './raster.mjs';

const OUT = join(import.meta.dirname, '..', '..', 'resources', 'tray');
/** @typedef {readonly [number, number, number]} Colour middle tones: seen on a white panel and on a black one */
/** @type {Colour} */
const TEAL = [18, 158, 143];
/** @type {Colour} */
const SLATE = [130, 142, 158];
/** @type {Colour} */
const AMBER = [200, 128, 20];
/** @type {Colour} */
const RED = [222, 72, 52];
/** @type {Colour} */
const INK = [0, 0, 0];

const [CENTRE, REACH, NODE, LINE] = [0.5, 0.335, 0.165, 0.1];
/** Where the nodes sit on the arc, in degrees clockwise from the right; the arc is open from the second to the first. */
const ANGLES = [-18, 244, 113];
const nodes = ANGLES.map((angle) => {
  const radians = (angle * Math.PI) / 180;
  return /** @type {const} */ ([CENTRE + REACH * Math.cos(radians), CENTRE + REACH * Math.sin(radians)]);
});
const discs = any(...nodes.map(([x, y]) => disc(x, y, NODE)));
const rings = any(...nodes.map(([x, y]) => ring(x, y, NODE - 0.05, 0.1)));
const arc = without(ring(CENTRE, CENTRE, REACH, LINE), wedge(CENTRE, CENTRE, 244, 342));
const heart = disc(CENTRE, CENTRE, 0.125);

const whole = any(arc, discs, heart);
const hollow = any(without(arc, discs), rings);
/** The left half alone, which leaves the right to a sign. */
const half = without(hollow, box(1, 0.5, 0.48, 0.6, 0));
const bars = any(box(0.66, 0.5, 0.085, 0.3, 0.03), box(0.91, 0.5, 0.085, 0.3, 0.03));
const call = any(box(0.78, 0.37, 0.1, 0.28, 0.04), disc(0.78, 0.83, 0.11));

const STATES = {
  sharing: [{ shape: whole, rgb: TEAL }],
  waiting: [{ shape: hollow, rgb: SLATE }],
  paused: [
    { shape: half, rgb: SLATE },
    { shape: bars, rgb: AMBER },
  ],
  attention: [
    { shape: half, rgb: SLATE },
    { shape: call, rgb: RED },
  ],
};

/** Pixels by the end of the name, by which Electron finds the right density. */
const FILES = { '-16': 16, '-16@1.25x': 20, '-16@1.5x': 24, '-16@2x': 32, '-22': 22, '-22@2x': 44 };
/** macOS colours these itself, to suit its menu bar. */
const TEMPLATES = { Template: 16, 'Template@2x': 32 };

mkdirSync(OUT, { recursive: true });
for (const [state, layers] of Object.entries(STATES)) {
  const black = layers.map(({ shape }) => ({ shape, rgb: INK }));
  for (const [end, size] of Object.entries(FILES)) writeFileSync(join(OUT, `${state}${end}.png`), png(size, layers));
  for (const [end, size] of Object.entries(TEMPLATES)) writeFileSync(join(OUT, `${state}${end}.png`), png(size, black));
}
