// Draws resources/tray: three connected nodes, told apart by shape first and colour second. Run: node scripts/icons/tray.mjs
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { any, box, disc, line, png, ring, without } from './raster.mjs';

const OUT = join(import.meta.dirname, '..', '..', 'resources', 'tray');
// Middle tones: at least 3:1 against both a white and a black panel.
const TEAL = [18, 154, 140];
const SLATE = [130, 142, 158];
const AMBER = [196, 124, 16];
const RED = [222, 72, 52];
const INK = [0, 0, 0];

const NODES = [
  [0.5, 0.19],
  [0.18, 0.79],
  [0.82, 0.79],
];
const RADIUS = 0.155;
const links = any(
  line(...NODES[0], ...NODES[1], 0.085),
  line(...NODES[1], ...NODES[2], 0.085),
  line(...NODES[2], ...NODES[0], 0.085),
);
const discs = any(...NODES.map(([x, y]) => disc(x, y, RADIUS)));
const rings = any(...NODES.map(([x, y]) => ring(x, y, RADIUS - 0.045, 0.09)));

const full = any(links, discs);
const hollow = any(without(links, discs), rings);
/** Everything clear of the lower right corner, where a sign stands. */
const room = box(0.77, 0.7, 0.36, 0.36, 0.08);
const bars = any(box(0.62, 0.72, 0.085, 0.25, 0.03), box(0.88, 0.72, 0.085, 0.25, 0.03));
const call = any(box(0.75, 0.6, 0.09, 0.21, 0.04), disc(0.75, 0.91, 0.09));

const STATES = {
  sharing: [{ shape: full, rgb: TEAL }],
  waiting: [{ shape: hollow, rgb: SLATE }],
  paused: [
    { shape: without(hollow, room), rgb: SLATE },
    { shape: bars, rgb: AMBER },
  ],
  attention: [
    { shape: without(hollow, room), rgb: SLATE },
    { shape: call, rgb: RED },
  ],
};

/** Pixels by file ending: the names by which Electron finds the right density. */
const FILES = {
  '-16': 16,
  '-16@1.25x': 20,
  '-16@1.5x': 24,
  '-16@2x': 32,
  '-22': 22,
  '-22@2x': 44,
};
const TEMPLATES = { Template: 16, 'Template@2x': 32 };

mkdirSync(OUT, { recursive: true });
for (const [state, layers] of Object.entries(STATES)) {
  for (const [ending, size] of Object.entries(FILES)) {
    writeFileSync(join(OUT, `${state}${ending}.png`), png(size, layers));
  }
  const black = layers.map(({ shape }) => ({ shape, rgb: INK }));
  for (const [ending, size] of Object.entries(TEMPLATES)) {
    writeFileSync(join(OUT, `${state}${ending}.png`), png(size, black));
  }
}
