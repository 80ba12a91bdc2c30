import type { Random } from './sim/random.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const DEEP = 2_000;
const LONG = 20_000;
const MANY = 3_000;

const STRANGE: readonly ((random: Random) => Json)[] = [
  () => null,
  () => true,
  () => '',
  () => [],
  () => ({}),
  () => -1,
  () => 0.5,
  () => 1e308,
  () => 2 ** 53,
  () => -0,
  (random) => random.below(2 ** 31),
  () => '0x',
  () => `0x${'0'.repeat(64)}`,
  () => `0x${'F'.repeat(64)}`,
  () => `0x${'g'.repeat(64)}`,
  () => '\ud800',
  () => '\u0000',
  () => '٣',
  () => '1e3',
  () => '-1',
  () => '9'.repeat(80),
  () => 'constructor',
  () => "'; DROP TABLE jobs; --",
  (random) => 'x'.repeat(random.below(LONG)),
  (random) => Array.from({ length: random.below(MANY) }, () => 0),
  (random) => nested(random.below(DEEP)),
];
const KEYS = ['__proto__', 'constructor', 'toString', 'type', 'extra', '', 'length', 'value', 'signature'] as const;

function nested(depth: number): Json {
  let value: Json = 0;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

const pick = <T>(random: Random, list: readonly T[]): T => list[random.below(list.length)] as T;
const strange = (random: Random): Json => pick(random, STRANGE)(random);

type Place = readonly [Json[] | { [key: string]: Json }, string | number];

/** Every place in a value, as the container and its key. Not by recursion: values are deep here. */
function places(root: Json): readonly Place[] {
  const found: Place[] = [];
  const open: Json[] = [root];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue;
    const container = value;
    for (const key of Array.isArray(container) ? container.keys() : Object.keys(container)) {
      found.push([container, key]);
      open.push(at([container, key]));
    }
  }
  return found;
}
const at = ([container, key]: Place): Json => (container as { [key: string | number]: Json })[key] ?? null;

function alter(random: Random, root: Json): void {
  const all = places(root);
  if (all.length === 0) return;
  const place = pick(random, all);
  const [container, key] = place as readonly [{ [key: string | number]: Json }, string | number];
  const value = at(place);
  switch (random.below(6)) {
    case 0:
      delete container[key];
      return;
    case 1:
      if (Array.isArray(container)) container.push(strange(random));
      else
        Object.defineProperty(container, pick(random, KEYS), {
          value: strange(random),
          enumerable: true,
          configurable: true,
          writable: true,
        });
      return;
    case 2:
      // A copy: nothing may come to hold itself.
      container[key] = structuredClone(at(pick(random, all)));
      return;
    case 3:
      if (typeof value === 'string' && value.length > 0) {
        const where = random.below(value.length);
        container[key] = value.slice(0, where) + String.fromCharCode(random.below(0x10000)) + value.slice(where + 1);
      }
      return;
    default:
      container[key] = strange(random);
  }
}

function scramble(random: Random, text: string): string {
  const where = random.below(text.length + 1);
  switch (random.below(4)) {
    case 0:
      return text.slice(0, where);
    case 1:
      return text.slice(0, where) + String.fromCharCode(random.below(0x10000)) + text.slice(where);
    case 2:
      return text.slice(where) + text;
    default:
      return text.slice(0, where) + text.slice(where + 1 + random.below(8));
  }
}

/** A text that is like the message, or not so like it; the same for the same stream. Now and then it is the message itself. */
export function mutated(random: Random, message: unknown): string {
  const root = JSON.parse(JSON.stringify(message)) as Json;
  let text: string;
  try {
    for (let times = random.below(4); times > 0; times--) alter(random, root);
    text = JSON.stringify(root);
  } catch {
    // Too deep to be written.
    text = '['.repeat(random.below(LONG));
  }
  return random.chance(0.2) ? scramble(random, text) : text;
}
