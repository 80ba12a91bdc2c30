import { randomBytes } from 'node:crypto';
import type { CatalogueEntry } from '../core/catalogue.ts';
import { fail } from '../core/errors.ts';
import type { Address, Hex32, UnixMs } from '../core/primitives.ts';
import type { CoordinatorMessage, DeviceMessage } from '../core/wire.ts';
import type { Context } from './context.ts';
import { commitProof, endProof, type GpuProof, type NewProof, openProof, proofsOf } from './gpu-proofs.ts';
import type { GpuProving } from './gpu-proving.ts';
import { isWorthMore, type Product, productFor, timeFor } from './verification/sizing.ts';
import type { ProofVerdict } from './verification/throughput.ts';
import { workloadKey } from './verify.ts';

type GpuMessage = Extract<DeviceMessage, { type: 'gpu-setup' | 'gpu-commitment' | 'gpu-opened' | 'gpu-declined' }>;
type Told<T extends GpuMessage['type']> = Extract<GpuMessage, { type: T }>;

/** A proof holds for so long; a new one is asked for when a tenth of that is left. */
const HOLDS_MS = 24 * 3_600_000;
const EARLY = 0.9;
/** After a refuted proof, after one that was committed to and then not opened, and after one that the device had no time for. */
const REST_MS = { refuted: 30 * 60_000, unopened: 10 * 60_000, declined: 60_000 } as const;

type Offered = { readonly room: boolean; readonly workloads: ReadonlySet<string> };

/** What one connected device's GPU has proven, and the challenge that is under way. A device that speaks of no GPU is asked for nothing. */
export class GpuLane {
  readonly #context: Pick<Context, 'db' | 'options'>;
  readonly #proving: GpuProving;
  readonly #send: (message: CoordinatorMessage) => void;
  #device: Address | null = null;
  #said: Told<'gpu-setup'> | null = null;
  #open: GpuProof | null = null;
  #judged: GpuProof | null = null;
  #againAt: UnixMs = 0;
  #considering = false;

  constructor(
    context: Pick<Context, 'db' | 'options'>,
    proving: GpuProving,
    send: (message: CoordinatorMessage) => void,
  ) {
    this.#context = context;
    this.#proving = proving;
    this.#send = send;
  }

  /** False while its last proof was refuted, as long as it could give another one. */
  get served(): boolean {
    return this.#judged?.verdict !== 'refuted' || this.#proving.prover === null;
  }

  /** What it has proven and still holds; 0: nothing. */
  multiplicationsPerSecond(now: UnixMs): number {
    const proof = this.#judged;
    const holds = proof !== null && this.#isOfNow(proof) && now < (proof.judged_at ?? 0) + this.#holdsMs;
    return holds ? (proof.multiplications_per_second ?? 0) : 0;
  }

  /** Reads what is known of the device: before it is given any work for its GPU. */
  async begin(device: Address): Promise<void> {
    if (this.#device !== null) return;
    const { open, judged } = await proofsOf(this.#context.db, device);
    [this.#device, this.#open, this.#judged] = [device, open, judged];
  }

  async act(message: GpuMessage, device: Address): Promise<void> {
    await this.begin(device);
    if (message.type === 'gpu-setup') return await this.#setUp(message);
    const open = this.#open;
    if (open?.challenge_id !== message.challengeId) fail('NOT_FOUND', 'no such challenge is open; nothing was changed');
    if (message.type === 'gpu-commitment') return await this.#committed(open, message);
    if (message.type === 'gpu-opened') return await this.#opened(open, message);
    return await this.#drop(open, open.root === null ? REST_MS.declined : REST_MS.unopened);
  }

  /** Asks for a proof when one is due and the device would work now; ends one that is late. */
  async consider({ room, workloads }: Offered): Promise<void> {
    if (this.#considering || this.#device === null || this.#said === null) return;
    this.#considering = true;
    try {
      const now = this.#context.options.clock.now();
      const open = this.#open;
      if (open !== null) {
        if (open.root === null && now > open.deadline) await this.#end(open, { kind: 'refuted', why: 'late' });
      } else if (room) await this.#challenge(this.#device, workloads, now);
    } finally {
      this.#considering = false;
    }
  }

  get #holdsMs(): number {
    return this.#context.options.gpuProofMs ?? HOLDS_MS;
  }

  /** By the image that is listed, on the GPU that the device has. */
  #isOfNow({ image, setup }: GpuProof): boolean {
    return setup === this.#said?.setup && image === this.#proving.prover?.image;
  }

  async #setUp(said: Told<'gpu-setup'>): Promise<void> {
    this.#said = said.setup === null ? null : said;
    const open = this.#open;
    if (open === null) return;
    const now = this.#context.options.clock.now();
    // What was lost on the way, or with the replica that asked, is asked again, by the same deadline.
    if (!this.#isOfNow(open) || (open.root === null && now > open.deadline)) await this.#drop(open, 0);
    else if (open.root === null) this.#ask(open);
    else await this.#askToOpen(open, open.root);
  }

  async #challenge(device: Address, workloads: ReadonlySet<string>, now: UnixMs): Promise<void> {
    const entry = this.#proving.prover;
    const said = this.#said;
    if (entry === null || said?.setup === null || said === null || now < this.#againAt) return;
    if (!workloads.has(workloadKey(entry.id, entry.image))) return;
    const last = this.#judged;
    const rate = last !== null && this.#isOfNow(last) ? last.multiplications_per_second : null;
    const product = productFor(productsOf(entry), said.memoryBytes, rate);
    if (product === null || !this.#isDue(product, now)) return;
    const proof: NewProof = {
      ...{ challenge_id: randomHex(), device, workload: entry.id, version: entry.version, image: entry.image },
      ...{ setup: said.setup, seed: randomHex(), ...product },
      ...{ issued_at: now, deadline: now + Math.ceil(timeFor(product, rate)) },
    };
    await this.#context.db.tx((sql) => openProof(sql, proof));
    const nothing = { root: null, received_at: null, verdict: null, why: null, judged_at: null };
    this.#open = { ...proof, ...nothing, multiplications_per_second: null };
    this.#ask(this.#open);
  }

  #isDue(product: Product, now: UnixMs): boolean {
    const last = this.#judged;
    if (last === null || !this.#isOfNow(last)) return last?.verdict !== 'refuted' || this.#hasRested(last, now);
    if (last.verdict === 'refuted') return this.#hasRested(last, now);
    return isWorthMore(product, last) || now >= (last.judged_at ?? 0) + EARLY * this.#holdsMs;
  }

  #hasRested({ judged_at: at }: GpuProof, now: UnixMs): boolean {
    return now >= (at ?? 0) + REST_MS.refuted;
  }

  #ask({ challenge_id: challengeId, workload, version, image, seed, size, rounds, deadline }: GpuProof): void {
    const asked = { challengeId, workload, version, image, seed, size, rounds, deadline };
    this.#send({ type: 'gpu-challenge', ...asked });
  }

  async #askToOpen(open: GpuProof, root: Hex32): Promise<void> {
    const rows = await this.#proving.rowsOf(open, { root, receivedAt: open.received_at ?? 0 });
    this.#send({ type: 'gpu-openings', challengeId: open.challenge_id, rows: [...rows] });
  }

  /** The first commitment stands; the same one again is asked the same again. */
  async #committed(open: GpuProof, { root }: Told<'gpu-commitment'>): Promise<void> {
    const { db, options } = this.#context;
    if (open.root !== null && open.root !== root) fail('CONFLICT', 'another commitment to this challenge is stored');
    if (open.root === null) {
      const receivedAt = options.clock.now();
      if (receivedAt > open.deadline) return await this.#end(open, { kind: 'refuted', why: 'late' });
      if (!(await commitProof(db, open.challenge_id, { root, receivedAt }))) return this.#forget(open);
      this.#open = { ...open, root, received_at: receivedAt };
    }
    await this.#askToOpen(this.#open ?? open, root);
  }

  async #opened(open: GpuProof, { openings }: Told<'gpu-opened'>): Promise<void> {
    const { root, received_at: receivedAt } = open;
    if (root === null || receivedAt === null) fail('CONFLICT', 'commit to the rows before you open some');
    await this.#end(open, await this.#proving.judge(open, { root, receivedAt }, openings));
  }

  async #end(open: GpuProof, verdict: ProofVerdict): Promise<void> {
    const { db, options } = this.#context;
    const now = options.clock.now();
    if (!(await endProof(db, open.challenge_id, verdict, now))) return this.#forget(open);
    const { challenge_id: challengeId, device } = open;
    const proven = verdict.kind === 'proven';
    this.#open = null;
    this.#judged = {
      ...{ ...open, verdict: verdict.kind, why: proven ? null : verdict.why, judged_at: now },
      multiplications_per_second: proven ? verdict.multiplicationsPerSecond : null,
    };
    options.log(proven ? 'info' : 'warn', 'gpu-proof', { device, ...verdict });
    this.#send({ type: 'gpu-verdict', challengeId, verdict });
  }

  async #drop(open: GpuProof, restMs: number): Promise<void> {
    const now = this.#context.options.clock.now();
    await endProof(this.#context.db, open.challenge_id, { kind: 'dropped' }, now);
    this.#againAt = now + restMs;
    this.#open = null;
  }

  /** Another replica knows more of it. */
  async #forget({ device }: GpuProof): Promise<void> {
    this.#device = null;
    await this.begin(device);
  }
}

const randomHex = (): Hex32 => `0x${randomBytes(32).toString('hex')}`;

/** All that the workload's parameters allow. */
const productsOf = ({ params }: CatalogueEntry): readonly Product[] =>
  (params['size'] ?? []).flatMap((size) =>
    (params['rounds'] ?? []).map((rounds) => ({ size: Number(size), rounds: Number(rounds) })),
  );
