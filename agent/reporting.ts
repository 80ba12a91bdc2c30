import { asFailure } from '../core/errors.ts';
import { sum } from '../core/money.ts';
import { type Address, type Hex32, sameAddress, ZERO_HASH } from '../core/primitives.ts';
import { itemsHash, outcomesHash, type ReportItem, reportHash, type Struct } from '../core/typed-data.ts';
import type { CoordinatorMessage, DeviceMessage, NetworkInfo } from '../core/wire.ts';
import type { Books } from './books.ts';
import type { Clock, DeviceKey, Log, StoredReport } from './ports.ts';
import { isSignedBy } from './signatures.ts';

const MAX_ITEMS = 1000;
/** So many items do not wait for the period to end. */
const ENOUGH_ITEMS = 100;
const RESEND_MS = 15_000;
/** Sent at a time: a coordinator closes a session that sends more than it can answer. */
const BATCH = 16;

type Welcome = Extract<CoordinatorMessage, { type: 'welcome' }>;
type ErrorMessage = Extract<CoordinatorMessage, { type: 'error' }>;
type ReceiptMessage = Extract<CoordinatorMessage, { type: 'receipt' }>;

/** Reports and results: made durable, then sent, then sent again until the coordinator has acknowledged them. */
export type Reporting = {
  readonly welcomed: (welcome: Welcome) => void;
  readonly receipt: (message: ReceiptMessage) => void;
  /** The coordinator did not take a report. */
  readonly refused: (message: ErrorMessage) => void;
  /** Accepted items may be waiting. */
  readonly consider: () => void;
  readonly sendResult: (leaseId: Hex32) => void;
  /** Why nothing may be signed or a receipt was not believed; null while the books agree. */
  readonly fault: () => string | null;
  /** Forgets the network. */
  readonly reset: () => void;
};

type ReportingOptions = {
  readonly clock: Clock;
  readonly log: Log;
  readonly books: Books;
  readonly owner: Address;
  readonly network: () => NetworkInfo | null;
  readonly key: () => DeviceKey | null;
  readonly send: (message: DeviceMessage) => boolean;
  readonly changed: () => void;
};

export function createReporting(options: ReportingOptions): Reporting {
  const { clock, log, books } = options;
  /** True once the coordinator has said which report it has last: before that, a sequence may be taken already. */
  let agreed = false;
  /** The newest report that the coordinator is known to hold; it may have lost the ones above, whatever it has signed. */
  let confirmed = 0;
  /** The last report of the batch that is on its way. */
  let batchEnd = 0;
  let fault: string | null = null;
  let due: { readonly cancel: () => void } | null = null;
  let making = false;
  /** Signed but not on disk yet. It is the only report ever signed with its sequence, so it is kept and tried again. */
  let unwritten: StoredReport | null = null;
  let cancelResend = (): void => undefined;
  let generation = 0;

  const sendReport = ({ report, signature, items }: StoredReport): boolean =>
    options.send({ type: 'report', value: report, signature, items: [...items] });

  function sendResult(leaseId: Hex32): void {
    const result = books.ledger()?.lease(leaseId)?.result;
    if (result && !result.stored) options.send({ type: 'result', value: result.value, signature: result.signature });
  }

  function sendOpen(): void {
    cancelResend();
    const ledger = books.ledger();
    if (ledger === null) return;
    const results = ledger.leases(['finished']).filter((record) => record.result?.stored === false);
    for (const record of results) sendResult(record.lease.leaseId);
    sendReports();
    resendLater();
  }

  /** In order: each must follow the one before. */
  function sendReports(above = 0): void {
    const open = books.ledger()?.reportsToSend(confirmed) ?? [];
    const reports = open.filter(({ report }) => report.sequence > above).slice(0, BATCH);
    batchEnd = reports.at(-1)?.report.sequence ?? 0;
    for (const report of reports) sendReport(report);
  }

  function resendLater(): void {
    cancelResend();
    cancelResend = clock.after(RESEND_MS, () => {
      try {
        if (agreed) sendOpen();
      } catch (error) {
        log('error', 'resend-failed', { detail: asFailure(error).message });
        resendLater();
      }
    });
  }

  function disagree(detail: string): void {
    if (fault !== detail) log('error', 'books-disagree', { detail });
    fault = detail;
    options.changed();
  }

  async function make(): Promise<void> {
    const [ledger, network, key] = [books.ledger(), options.network(), options.key()];
    if (making || !agreed || fault !== null || ledger === null || network === null || key === null) return;
    if (books.fault() !== null) return;
    making = true;
    const mine = generation;
    try {
      const stored = unwritten ?? (await sign(key));
      if (stored === null || mine !== generation) return;
      unwritten = stored;
      books.now((to) => to.appendReport(stored, clock.now()));
      unwritten = null;
      // Behind others that are on their way it waits for its turn.
      if (confirmed === stored.report.sequence - 1) sendReports(confirmed);
      resendLater();
      options.changed();
    } finally {
      making = false;
    }
  }

  async function sign(key: DeviceKey): Promise<StoredReport | null> {
    const ledger = books.ledger();
    const accepted = ledger?.leases(['accepted']).slice(0, MAX_ITEMS) ?? [];
    const oldest = accepted[0];
    if (ledger === null || oldest === undefined) return null;
    const items = accepted.flatMap(({ lease, result, amount }): ReportItem[] =>
      result === null ? [] : [{ leaseId: lease.leaseId, outputHash: result.value.outputHash, amount }],
    );
    const last = ledger.lastReport();
    const report: Struct<'Report'> = {
      owner: options.owner,
      device: key.address,
      sequence: (last?.report.sequence ?? 0) + 1,
      previous: last === null ? ZERO_HASH : reportHash(last.report),
      periodStart: last?.report.periodEnd ?? oldest.at,
      periodEnd: Math.max(clock.now(), last?.report.periodEnd ?? 0),
      itemsHash: itemsHash(items),
      itemCount: items.length,
      total: sum(items.map((item) => item.amount)),
    };
    return { report, signature: await key.sign('Report', report), items };
  }

  function consider(): void {
    const network = options.network();
    const waiting = books.ledger()?.leases(['accepted']).length ?? 0;
    if (network === null || !agreed || (waiting === 0 && unwritten === null)) return;
    const run = (): void => {
      due = null;
      make()
        .catch((error: unknown) => log('warn', 'report-waits', { detail: asFailure(error).message }))
        .then(options.changed)
        .catch(() => undefined);
    };
    if (waiting >= ENOUGH_ITEMS && due !== null) {
      due.cancel();
      due = null;
      run();
    } else if (due === null && !making) {
      due = { cancel: clock.after(network.reportEveryMs, run) };
    }
  }

  return {
    sendResult,
    consider,
    fault: () => fault,
    welcomed({ lastReport }) {
      const last = books.ledger()?.lastReport() ?? null;
      const behind =
        lastReport !== null &&
        (last === null ||
          last.report.sequence < lastReport.sequence ||
          (last.report.sequence === lastReport.sequence && reportHash(last.report) !== lastReport.reportHash));
      agreed = !behind;
      if (behind) {
        return disagree(
          `the network holds report ${lastReport.sequence} of this device, which its ledger does not have; nothing more is signed`,
        );
      }
      fault = null;
      confirmed = lastReport?.sequence ?? 0;
      sendOpen();
      consider();
    },
    receipt({ value, signature, outcomes }) {
      const network = options.network();
      const stored = books.ledger()?.report(value.reportHash) ?? null;
      if (network === null || stored === null) return;
      const { report, items } = stored;
      const credited = sum(outcomes.map((outcome) => (outcome.kind === 'credited' ? outcome.amount : 0n)));
      const believed =
        sameAddress(value.owner, report.owner) &&
        sameAddress(value.device, report.device) &&
        value.sequence === report.sequence &&
        outcomes.length === items.length &&
        outcomes.every((outcome, index) => outcome.leaseId === items[index]?.leaseId) &&
        value.outcomesHash === outcomesHash(outcomes) &&
        value.credited === credited &&
        value.cumulative >= credited &&
        isSignedBy(network, network.coordinator, 'Receipt', value, signature);
      if (!believed)
        return disagree(`the receipt of report ${report.sequence} is not one the network could have signed`);
      fault = null;
      confirmed = Math.max(confirmed, report.sequence);
      // The ledger keeps the first receipt of a report: the same again counts once.
      books
        .durably((ledger) => ledger.appendReceipt(value, signature, outcomes, clock.now()))
        .catch((error: unknown) => log('error', 'receipt-not-kept', { detail: asFailure(error).message }))
        .finally(options.changed)
        .catch(() => undefined);
      if (report.sequence >= batchEnd) sendReports(report.sequence);
    },
    refused({ code, message, about }) {
      const stored = about === null ? null : (books.ledger()?.report(about) ?? null);
      if (stored === null || (code !== 'CONFLICT' && code !== 'BAD_INPUT')) return;
      disagree(`the network does not take report ${stored.report.sequence} of this device: ${message}`);
    },
    reset() {
      generation++;
      agreed = false;
      confirmed = 0;
      batchEnd = 0;
      fault = null;
      unwritten = null;
      due?.cancel();
      due = null;
      cancelResend();
    },
  };
}
