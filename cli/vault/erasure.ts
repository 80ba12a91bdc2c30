import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { fail } from '../../core/errors.ts';

/** A Reed–Solomon code: `n` shards of a stripe, of which any `k` give the rest. A stripe is its shards, one behind the other. */
export type Erasure = {
  /** Fills the parity shards from the first `k`. */
  readonly encode: (stripe: Uint8Array) => void;
  /** Fills all shards that are not `present`. Throws NOT_FOUND when fewer than `k` are. */
  readonly rebuild: (stripe: Uint8Array, present: readonly boolean[]) => void;
};

/** What the library's module exports. Addresses and sizes are in bytes; 0 is success. */
type Module = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly __wbindgen_malloc: (bytes: number) => number;
  readonly __wbindgen_free: (at: number, bytes: number) => void;
  readonly encode: (at: number, bytes: number, data: number, parity: number) => number;
  /** Takes the list of what is present over, and frees it. */
  readonly reconstruct: (
    at: number,
    bytes: number,
    data: number,
    parity: number,
    present: number,
    presentBytes: number,
  ) => number;
};
/** Types of it come with a browser only. */
declare const WebAssembly: {
  readonly instantiate: (code: Uint8Array) => Promise<{ readonly instance: { readonly exports: Module } }>;
};

let loading: Promise<Module> | null = null;

/** The module alone: the library's own JavaScript frees the list of what is present twice, and later results are wrong. */
async function load(): Promise<Module> {
  const path = fileURLToPath(import.meta.resolve('@digitaldefiance/reed-solomon-erasure.wasm/wasm'));
  const { instance } = await WebAssembly.instantiate(await readFile(path));
  return instance.exports;
}

export async function erasure(k: number, n: number): Promise<Erasure> {
  loading ??= load();
  const module = await loading;
  /** Its memory may have grown, and then it is another one. */
  const memory = (at: number, bytes: number): Uint8Array => new Uint8Array(module.memory.buffer, at, bytes);

  /** Runs `work` over a copy of the stripe, of which `from` to `to` come back. */
  function over(stripe: Uint8Array, from: number, to: number, work: (at: number) => number): void {
    const at = module.__wbindgen_malloc(stripe.length);
    try {
      memory(at, stripe.length).set(stripe);
      const result = work(at);
      if (result !== 0) fail('INTERNAL', `the erasure code failed with ${result}`, { result });
      stripe.set(memory(at + from, to - from), from);
    } finally {
      module.__wbindgen_free(at, stripe.length);
    }
  }

  const dataBytes = (stripe: Uint8Array): number => (stripe.length / n) * k;
  const encode = (stripe: Uint8Array): void =>
    over(stripe, dataBytes(stripe), stripe.length, (at) => module.encode(at, stripe.length, k, n - k));
  const rebuild = (stripe: Uint8Array, present: readonly boolean[]): void => {
    const there = present.filter(Boolean).length;
    if (there < k) fail('NOT_FOUND', `${there} shards are left of a group, and ${k} are needed`, { there, k });
    if (present.slice(0, k).includes(false)) {
      over(stripe, 0, dataBytes(stripe), (at) => {
        const list = module.__wbindgen_malloc(n);
        memory(list, n).set(present.map(Number));
        return module.reconstruct(at, stripe.length, k, n - k, list, n);
      });
    }
    if (present.slice(k).includes(false)) encode(stripe);
  };
  return { encode, rebuild };
}
