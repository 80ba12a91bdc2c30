import type { Address, Hex32, UnixMs } from '../../core/primitives.ts';
import { AGREEMENTS_A_PAGE, type StorageOffer } from '../../core/wire-storage.ts';
import type { Context } from '../context.ts';
import type { Sql } from '../db.ts';
import { groupBy } from '../group-by.ts';
import type { Told as Session } from '../lending.ts';
import type { Peer } from '../peer.ts';
import { askedOf, breakOff, drawAudits, type Judged, judgeAnswer } from './audits.ts';
import { noteSeen, SEEN_EVERY_MS, stateStorage } from './offers.ts';
import { type Notice, toldAfter, toldNamed } from './rows.ts';
import { standingsOf } from './standings.ts';
import { rulesOf, type StorageRules } from './terms.ts';
import { keepUp } from './upkeep.ts';

/** What devices keep for others: what they are told and asked, and what they answer. */
export class Storage {
  readonly rules: StorageRules;
  readonly #context: Context;
  readonly #sessionOf: (device: Address) => Session | undefined;
  /** Devices that are connected here and have ever lent room. */
  readonly #here = new Set<Address>();
  #seenAt: UnixMs = 0;

  constructor(context: Context, sessionOf: (device: Address) => Session | undefined) {
    this.#context = context;
    this.#sessionOf = sessionOf;
    this.rules = rulesOf(context.options);
  }

  /** What it said and was asked in an earlier session is over. One that never lent room hears nothing. */
  async joined(peer: Peer): Promise<void> {
    const { db } = this.#context;
    await stateStorage(db, peer, null, this.#now());
    if ((await standingsOf(db, [peer.device], this.#now())).size === 0) return;
    for (const agreementId of await askedOf(db, peer.device)) {
      await this.#judge((sql) => breakOff(sql, agreementId, this.rules, this.#now()));
    }
    await this.#welcome(peer.device);
  }

  async offers(peer: Peer, offer: StorageOffer | null): Promise<void> {
    const { device } = peer;
    const known = this.#here.has(device);
    await this.#context.db.tx((sql) => stateStorage(sql, peer, offer, this.#now()));
    if (!known && offer !== null) await this.#welcome(device);
  }

  async answered({ device }: Peer, what: { readonly auditId: Hex32; readonly answer: Hex32 | null }): Promise<void> {
    await this.#judge((sql) => judgeAnswer(sql, device, what, this.rules, this.#now()));
  }

  /** Asks what is due of the devices that are connected here. */
  async audit(): Promise<void> {
    const now = this.#now();
    const here = this.#connected();
    if (now - this.#seenAt >= Math.min(SEEN_EVERY_MS, this.rules.terms.answerWithinMs / 2) || now < this.#seenAt) {
      await noteSeen(this.#context.db, here, now);
      this.#seenAt = now;
    }
    for (const { device, message } of await drawAudits(this.#context.db, here, this.rules, now)) {
      this.#sessionOf(device)?.send(message);
    }
  }

  /** What time alone brings about, for all devices. */
  async keepUp(): Promise<void> {
    const { db, options } = this.#context;
    await db.alone('storage', async () => {
      const judged = ({ verdict }: Judged) => this.#count(verdict);
      await this.tell(await keepUp({ db, rules: this.rules, log: options.log, judged }, this.#now()));
    });
  }

  /** Tells the devices what they are to hear of, wherever they are connected. */
  async tell(notices: readonly Notice[]): Promise<void> {
    for (const [device, own] of groupBy(notices, (notice) => notice.device)) {
      const agreements = [...new Set(own.flatMap(({ agreementId }) => agreementId ?? []))];
      if (this.#sessionOf(device) === undefined) this.#context.replica.storage(device, agreements);
      else await this.heard(device, agreements);
    }
  }

  /** Something has become of a device that may be connected here. */
  async heard(device: Address, agreements: readonly Hex32[]): Promise<void> {
    const { db } = this.#context;
    for (const { terms, why } of await toldNamed(db, device, agreements)) {
      const { agreementId } = terms;
      const message =
        why === null
          ? ({ type: 'agreement', agreement: terms } as const)
          : ({ type: 'agreement-ended', agreementId, why } as const);
      this.#sessionOf(device)?.send(message);
    }
    await this.#tellStanding(device);
  }

  /** What others told may have been missed. */
  async lookAgain(): Promise<void> {
    for (const device of this.#connected()) await this.#welcome(device);
  }

  /** All agreements in pages, and how it stands. */
  async #welcome(device: Address): Promise<void> {
    this.#here.add(device);
    const { repairers } = this.rules;
    let after = '';
    for (;;) {
      const page = await toldAfter(this.#context.db, device, after, AGREEMENTS_A_PAGE);
      const last = page.length < AGREEMENTS_A_PAGE;
      const agreements = page.map(({ terms }) => terms);
      this.#sessionOf(device)?.send({ type: 'agreements', agreements, last, repairers: [...repairers] });
      if (last) break;
      after = page.at(-1)?.terms.agreementId ?? '';
    }
    await this.#tellStanding(device);
  }

  async #tellStanding(device: Address): Promise<void> {
    const standing = (await standingsOf(this.#context.db, [device], this.#now())).get(device);
    if (standing !== undefined) this.#sessionOf(device)?.send(standing);
  }

  async #judge(work: (sql: Sql) => Promise<Judged>): Promise<void> {
    const { verdict, notices } = await this.#context.db.tx(work);
    this.#count(verdict);
    await this.tell(notices);
  }

  #count(verdict: Judged['verdict']): void {
    if (verdict !== null) this.#context.metrics.audited(verdict);
  }

  #connected(): readonly Address[] {
    for (const device of this.#here) if (this.#sessionOf(device) === undefined) this.#here.delete(device);
    return [...this.#here];
  }

  #now(): UnixMs {
    return this.#context.options.clock.now();
  }
}
