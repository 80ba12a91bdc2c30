import type { ReceiptStore } from '../../agent/edge/receipts.ts';
import type { Drives } from '../../agent/ports.ts';
import type { AgreementRecord, AgreementShelf } from '../../agent/storage/shelf.ts';
import type { Hex32 } from '../../core/primitives.ts';
import type { SignedReceipt } from '../../core/receipts.ts';
import type { KeptShard } from '../../core/storage-terms.ts';

/** Agreements in memory; it outlives the agent that it was given to. */
export class FakeAgreementShelf implements AgreementShelf {
  readonly records = new Map<Hex32, AgreementRecord>();
  readonly notes = new Map<Hex32, KeptShard[]>();

  load = async (): Promise<readonly AgreementRecord[]> => [...this.records.values()];
  save = async (record: AgreementRecord): Promise<void> => {
    this.records.set(record.terms.agreementId, record);
    if (record.kept !== null) this.notes.delete(record.terms.agreementId);
  };
  note = async (agreementId: Hex32, shard: KeptShard): Promise<void> => {
    this.notes.set(agreementId, [...(this.notes.get(agreementId) ?? []), shard]);
  };
  noted = async (agreementId: Hex32): Promise<readonly KeptShard[]> => this.notes.get(agreementId) ?? [];
  drop = async (agreementId: Hex32): Promise<void> => {
    this.notes.delete(agreementId);
    this.records.delete(agreementId);
  };
}

/** Receipts in memory. */
export class FakeReceiptStore implements ReceiptStore {
  readonly held = new Map<string, SignedReceipt>();
  readonly #name = ({ session, content }: Pick<SignedReceipt['value'], 'session' | 'content'>) =>
    `${session} ${content}`;

  keep = async (receipt: SignedReceipt): Promise<void> => void this.held.set(this.#name(receipt.value), receipt);
  all = async (): Promise<readonly SignedReceipt[]> => [...this.held.values()];
  drop: ReceiptStore['drop'] = async (settled) => {
    const held = this.held.get(this.#name(settled));
    if (held !== undefined && held.value.bytes <= settled.bytes) this.held.delete(this.#name(settled));
  };
}

/** A drive that has so many bytes left, or does not say. */
export const fakeDrives = (freeBytes: number | null = null): Drives => ({
  prepare: async (picked) => picked,
  keyOf: (picked) => picked ?? '',
  freeBytes: async () => freeBytes,
});
