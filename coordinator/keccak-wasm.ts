/**
 * A WebAssembly module that hashes many short inputs of one size with Keccak-256, two at a time, one in each half of a vector of
 * two 64-bit words. It is put together here, instruction by instruction, so that what runs can be read. Why: decision 0020.
 * Sources: The Keccak reference, 3.0; WebAssembly core specification 2.0, chapter 5.
 */

/** Where the round constants, the inputs and the hashes lie in its memory, which is one page. */
const CONSTANTS_AT = 0;
export const INPUT_AT = 1024;
export const OUTPUT_AT = INPUT_AT + 32 * 1024;

export const ROUND_CONSTANTS: readonly bigint[] = [
  ...[0x1n, 0x8082n, 0x800000000000808an, 0x8000000080008000n, 0x808bn, 0x80000001n, 0x8000000080008081n],
  ...[0x8000000000008009n, 0x8an, 0x88n, 0x80008009n, 0x8000000an, 0x8000808bn, 0x800000000000008bn],
  ...[0x8000000000008089n, 0x8000000000008003n, 0x8000000000008002n, 0x8000000000000080n, 0x800an],
  ...[0x800000008000000an, 0x8000000080008081n, 0x8000000000008080n, 0x80000001n, 0x8000000080008008n],
];
/** By x + 5y. */
const ROTATIONS: readonly number[] = [
  ...[0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43],
  ...[25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14],
];
const FIVE = [0, 1, 2, 3, 4] as const;
const LANES = Array.from({ length: 25 }, (_, lane) => lane);
/** Lanes of the state that input and padding go to. */
const RATE_LANES = 17;

type Code = readonly number[];

function leb(value: number): Code {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...leb(value >>> 7)];
}
/** Small numbers that are not negative: their seventh bit would be read as a sign. */
const signedLeb = (value: number): Code =>
  value < 0x40 ? [value] : [(value & 0x7f) | 0x80, ...signedLeb(value >>> 7)];

const get = (local: number): Code => [0x20, ...leb(local)];
const set = (local: number): Code => [0x21, ...leb(local)];
const tee = (local: number): Code => [0x22, ...leb(local)];
const number = (value: number): Code => [0x41, ...signedLeb(value)];
const simd = (code: number): Code => [0xfd, ...leb(code)];
/** Aligned to eight bytes. */
const at = (offset: number): Code => [3, ...leb(offset)];
const add = (local: number, by: number): Code => [...get(local), ...number(by), 0x6a, ...set(local)];
const loop = (body: Code): Code => [0x03, 0x40, ...body, 0x0b];
const AGAIN: Code = [0x0d, 0];
const [LOAD_BOTH, CONST, AND_NOT, OR, XOR] = [simd(0x0a), simd(0x0c), simd(0x4f), simd(0x50), simd(0x51)];
const [LOAD_SECOND, STORE, LOAD_FIRST] = [simd(0x57), simd(0x5b), simd(0x5d)];
const [SHIFT_LEFT, SHIFT_RIGHT] = [simd(203), simd(205)];
/** Eight bytes, from the low one, in both halves. */
const both = (bytes: Code): Code => [...CONST, ...bytes, ...bytes];

/** Locals: the count, three addresses, and vectors: state, its next, column sums, their mixture, one to spare. */
const [COUNT, INPUT, OUTPUT, CONSTANT] = [0, 1, 2, 3];
const a = (lane: number): number => 4 + lane;
const b = (lane: number): number => 29 + lane;
const c = (x: number): number => 54 + (x % 5);
const d = (x: number): number => 59 + x;
const SPARE = 64;
const VECTORS = 61;

/** Of what is on the stack. */
const rotated = (by: number): Code =>
  by === 0
    ? []
    : [...[...tee(SPARE), ...number(by), ...SHIFT_LEFT], ...[...get(SPARE), ...number(64 - by), ...SHIFT_RIGHT, ...OR]];

const ROUND: Code = [
  ...FIVE.flatMap((x) => [...get(a(x)), ...[5, 10, 15, 20].flatMap((y) => [...get(a(x + y)), ...XOR]), ...set(c(x))]),
  ...FIVE.flatMap((x) => [...get(c(x + 1)), ...rotated(1), ...get(c(x + 4)), ...XOR, ...set(d(x))]),
  ...LANES.flatMap((lane) => {
    const [x, y] = [lane % 5, Math.floor(lane / 5)];
    const turned = [...get(a(lane)), ...get(d(x)), ...XOR, ...rotated(ROTATIONS[lane] ?? 0)];
    return [...turned, ...set(b(y + 5 * ((2 * x + 3 * y) % 5)))];
  }),
  ...LANES.flatMap((lane) => {
    const row = lane - (lane % 5);
    const [next, second] = [b(row + ((lane + 1) % 5)), b(row + ((lane + 2) % 5))];
    return [...get(b(lane)), ...get(second), ...get(next), ...AND_NOT, ...XOR, ...set(a(lane))];
  }),
  ...[...get(a(0)), ...get(CONSTANT), ...LOAD_BOTH, ...at(CONSTANTS_AT), ...XOR, ...set(a(0))],
];

/** A function of how many pairs of inputs of `words` eight bytes each to hash. */
function hashFunction(words: number): Code {
  const size = 8 * words;
  const load = LANES.flatMap((lane) => {
    if (lane < words) {
      const first = [...get(INPUT), ...LOAD_FIRST, ...at(8 * lane)];
      return [...get(INPUT), ...first, ...LOAD_SECOND, ...at(size + 8 * lane), 1, ...set(a(lane))];
    }
    const [low, high] = [Number(lane === words), lane === RATE_LANES - 1 ? 0x80 : 0];
    return [...both([low, 0, 0, 0, 0, 0, 0, high]), ...set(a(lane))];
  });
  const store = [0, 1, 2, 3].flatMap((lane) =>
    [0, 1].flatMap((half) => [...get(OUTPUT), ...get(a(lane)), ...STORE, ...at(32 * half + 8 * lane), half]),
  );
  const rounds = [...number(0), ...set(CONSTANT)].concat(
    loop([...ROUND, ...add(CONSTANT, 8), ...get(CONSTANT), ...number(8 * ROUND_CONSTANTS.length), 0x49, ...AGAIN]),
  );
  const body = [
    ...[2, ...leb(3), 0x7f, ...leb(VECTORS), 0x7b],
    ...[...number(INPUT_AT), ...set(INPUT), ...number(OUTPUT_AT), ...set(OUTPUT)],
    ...loop([
      ...[...load, ...rounds, ...store, ...add(INPUT, 2 * size), ...add(OUTPUT, 64)],
      ...[...get(COUNT), ...number(1), 0x6b, ...tee(COUNT), ...AGAIN],
    ]),
    0x0b,
  ];
  return [...leb(body.length), ...body];
}

const section = (id: number, body: Code): Code => [id, ...leb(body.length), ...body];
const named = (text: string): Code => [text.length, ...Array.from(text, (one) => one.charCodeAt(0))];

/** The module: its memory, and a function each for inputs of 32 and of 64 bytes. */
export function keccakModule(): Uint8Array<ArrayBuffer> {
  const memory = [...named('memory'), 2, 0];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [2, 0, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [3, ...memory, ...named('hash32'), 0, 0, ...named('hash64'), 0, 1]),
    ...section(10, [2, ...hashFunction(4), ...hashFunction(8)]),
  ]);
}
