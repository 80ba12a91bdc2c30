import { maturesAt, sharesOf } from '../../coordinator/shares.ts';

/**
 * The books in memory, after what is written of them and not after their code; only the arithmetic of shares and of maturity is the
 * same. Names are small numbers. It keeps entries as the ledger does and receipts as they are signed, and sums both on its own.
 */
export type Action =
  | { readonly kind: 'deposit'; readonly consumer: number; readonly amount: bigint }
  /** The chain tells all its events once more. */
  | { readonly kind: 'reorg' }
  | { readonly kind: 'order'; readonly consumer: number; readonly price: bigint; readonly feeBps: number }
  | { readonly kind: 'finish'; readonly job: number; readonly device: number }
  | { readonly kind: 'fail'; readonly job: number; readonly device: number }
  | { readonly kind: 'report'; readonly device: number; readonly leases: readonly number[]; readonly order: Order }
  | { readonly kind: 'tick'; readonly ms: number }
  | { readonly kind: 'mature' }
  | { readonly kind: 'hold' | 'release' | 'clawBack'; readonly leases: readonly number[] }
  | { readonly kind: 'epoch' }
  | { readonly kind: 'claim'; readonly owner: number };
/** The next report; the last one again; one out of turn; another one with the sequence of the last. */
export type Order = 'next' | 'again' | 'early' | 'fork';

export type ModelJob = {
  readonly consumer: number;
  readonly price: bigint;
  readonly pay: bigint;
  readonly fee: bigint;
  readonly dust: bigint;
  over: boolean;
};
export type ModelLease = { readonly job: number; readonly device: number; state: 'accepted' | 'gone' | 'reported' };
type Credit = { readonly owner: number; readonly lease: number; readonly due: number; state: string; held: boolean };
type Receipt = { readonly owner: number; readonly due: number; readonly items: readonly (readonly [number, bigint])[] };

export const DEVICES = 4;
/** Two devices each. */
export const ownerOf = (device: number): number => device >> 1;

export class BooksModel {
  readonly balances = new Map<string, bigint>();
  readonly entries: (readonly [string, bigint])[] = [];
  readonly jobs: ModelJob[] = [];
  readonly leases: ModelLease[] = [];
  readonly credits = new Map<number, Credit>();
  readonly receipts: Receipt[] = [];
  readonly sequences = Array.from({ length: DEVICES }, () => 0);
  readonly blocked = new Set<number>();
  readonly clawed = new Set<number>();
  /** Cumulative, by owner, as the newest root says. */
  promised = new Map<number, bigint>();
  epochs = 0;
  now = 1_000;
  maturedTo = 0;
  readonly maturityMs: number;

  constructor(maturityMs: number) {
    this.maturityMs = maturityMs;
  }

  balance(name: string): bigint {
    return this.balances.get(name) ?? 0n;
  }

  #move(from: string, to: string, amount: bigint): void {
    for (const [name, change] of [
      [from, -amount],
      [to, amount],
    ] as const) {
      if (change === 0n) continue;
      this.entries.push([name, change]);
      this.balances.set(name, this.balance(name) + change);
    }
  }

  /** What is refused changes nothing. */
  apply(action: Action): 'done' | 'refused' {
    switch (action.kind) {
      case 'deposit':
        this.#move('external', `deposit:${action.consumer}`, action.amount);
        return 'done';
      case 'reorg':
        return 'done';
      case 'order':
        return this.#order(action);
      case 'finish':
      case 'fail':
        return this.#end(action);
      case 'report':
        return this.#report(action);
      case 'tick':
        this.now += action.ms;
        return 'done';
      case 'mature':
        this.#mature(Math.max(this.now, this.maturedTo));
        return 'done';
      case 'hold':
      case 'release':
        for (const lease of action.leases) this.#hold(lease, action.kind === 'hold');
        if (action.kind === 'release') this.#mature(this.maturedTo);
        return 'done';
      case 'clawBack':
        for (const lease of action.leases) this.#clawBack(lease);
        return 'done';
      case 'epoch':
        this.#epoch();
        return 'done';
      case 'claim': {
        const all = this.promised.get(action.owner) ?? 0n;
        const fresh = all - this.balance(`claimed:${action.owner}`);
        this.#move(`published:${action.owner}`, `claimed:${action.owner}`, fresh);
        return 'done';
      }
    }
  }

  #order({ consumer, price, feeBps }: Extract<Action, { kind: 'order' }>): 'done' | 'refused' {
    if (this.balance(`deposit:${consumer}`) < price) return 'refused';
    this.#move(`deposit:${consumer}`, `hold:${this.jobs.length}`, price);
    this.jobs.push({ consumer, price, ...sharesOf(price, feeBps), over: false });
    return 'done';
  }

  #end({ kind, job: number, device }: Extract<Action, { kind: 'finish' | 'fail' }>): 'done' | 'refused' {
    const job = this.jobs[number];
    if (job === undefined || job.over) return 'refused';
    job.over = true;
    this.leases.push({ job: number, device, state: kind === 'finish' ? 'accepted' : 'gone' });
    if (kind === 'fail') this.#move(`hold:${number}`, `deposit:${job.consumer}`, job.price);
    return 'done';
  }

  #report({ device, leases, order }: Extract<Action, { kind: 'report' }>): 'done' | 'refused' {
    const sequence = this.sequences[device] ?? 0;
    if (order === 'again') return sequence > 0 ? 'done' : 'refused';
    if (this.blocked.has(device) || order === 'early') return 'refused';
    if (order === 'fork') {
      if (sequence === 0) return 'refused';
      this.blocked.add(device);
      for (const credit of this.credits.values()) {
        if (this.leases[credit.lease]?.device === device) this.#hold(credit.lease, true);
      }
      return 'done';
    }
    this.sequences[device] = sequence + 1;
    const due = maturesAt(this.now, this.maturityMs, this.maturedTo);
    const owner = ownerOf(device);
    const items: (readonly [number, bigint])[] = [];
    for (const number of leases) {
      const lease = this.leases[number];
      const job = this.jobs[lease?.job ?? -1];
      if (lease === undefined || job === undefined || lease.state !== 'accepted' || lease.device !== device) continue;
      lease.state = 'reported';
      this.#move(`hold:${lease.job}`, `pending:${owner}`, job.pay);
      this.credits.set(number, { owner, lease: number, due, state: 'pending', held: false });
      items.push([number, job.pay]);
    }
    this.receipts.push({ owner, due, items });
    return 'done';
  }

  #hold(lease: number, held: boolean): void {
    const credit = this.credits.get(lease);
    if (credit?.state === 'pending') credit.held = held;
  }

  #mature(to: number): void {
    for (const credit of this.credits.values()) {
      if (credit.state !== 'pending' || credit.held || credit.due > to) continue;
      const number = this.leases[credit.lease]?.job ?? -1;
      const job = this.jobs[number];
      if (job === undefined) continue;
      credit.state = 'matured';
      this.maturedTo = to;
      this.#move(`pending:${credit.owner}`, `matured:${credit.owner}`, job.pay);
      this.#move(`hold:${number}`, 'fees', job.fee);
      this.#move(`hold:${number}`, 'dust', job.dust);
    }
  }

  #clawBack(number: number): void {
    const lease = this.leases[number];
    const job = this.jobs[lease?.job ?? -1];
    const credit = this.credits.get(number);
    if (lease === undefined || job === undefined) return;
    if (credit?.state === 'pending') {
      credit.state = 'clawed';
      credit.held = false;
      this.#move(`pending:${credit.owner}`, `deposit:${job.consumer}`, job.pay);
      this.#move(`hold:${lease.job}`, `deposit:${job.consumer}`, job.fee + job.dust);
    } else if (lease.state === 'accepted') {
      lease.state = 'gone';
      this.#move(`hold:${lease.job}`, `deposit:${job.consumer}`, job.price);
    } else return;
    this.clawed.add(number);
  }

  #epoch(): void {
    this.#mature(Math.max(this.now, this.maturedTo));
    const { due } = this.owedByEntries();
    const before = [...this.promised.values()].reduce((all, one) => all + one, 0n);
    if ([...due.values()].reduce((all, one) => all + one, 0n) === before) return;
    this.epochs += 1;
    this.promised = new Map([...due].filter(([, amount]) => amount > 0n));
    for (const [owner, cumulative] of this.promised) {
      const fresh = cumulative - this.balance(`published:${owner}`) - this.balance(`claimed:${owner}`);
      this.#move(`matured:${owner}`, `published:${owner}`, fresh);
    }
  }

  /** By the entries. */
  owedByEntries(): { readonly due: Map<number, bigint>; readonly credited: Map<number, bigint> } {
    const [due, credited] = [new Map<number, bigint>(), new Map<number, bigint>()];
    for (const [name, amount] of this.entries) {
      const [kind = '', owner] = name.split(':');
      if (!['pending', 'matured', 'published', 'claimed'].includes(kind)) continue;
      add(credited, Number(owner), amount);
      add(due, Number(owner), kind === 'pending' ? 0n : amount);
    }
    return { due, credited };
  }

  /** By the receipts and what was clawed back of them. */
  owedByReceipts(): { readonly due: Map<number, bigint>; readonly credited: Map<number, bigint> } {
    const [due, credited] = [new Map<number, bigint>(), new Map<number, bigint>()];
    for (const receipt of this.receipts) {
      for (const [lease, amount] of receipt.items) {
        if (this.clawed.has(lease)) continue;
        const held = this.credits.get(lease)?.held === true;
        add(credited, receipt.owner, amount);
        add(due, receipt.owner, receipt.due <= this.maturedTo && !held ? amount : 0n);
      }
    }
    return { due, credited };
  }
}

const add = (to: Map<number, bigint>, owner: number, amount: bigint): void => {
  to.set(owner, (to.get(owner) ?? 0n) + amount);
};
