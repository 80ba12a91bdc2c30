import type { Address, Hex32 } from '../core/primitives.ts';
import type { Effects } from './effects.ts';
import type { GpuProving } from './gpu-proving.ts';
import type { LendingHost } from './lending.ts';
import type { SentReport } from './report-chain.ts';
import type { ReportAnswer } from './reports.ts';
import type { Delivery } from './results.ts';
import type { Session } from './session.ts';

/** A WebSocket in our words. */
export type Socket = {
  readonly send: (text: string) => void;
  readonly close: (code: number, reason: string) => void;
  /** Whether to stop reading for now. */
  readonly pause: (paused: boolean) => void;
};

/** What a session tells its surroundings. */
export type SessionHost = {
  /** After a good hello: an older session of the same device ends. */
  readonly joined: (session: Session, device: Address) => void;
  readonly apply: (effects: Effects) => void;
  /** Work may be given out to it now. */
  readonly ready: (session: Session) => void;
  readonly progressed: (jobId: Hex32) => void;
  readonly deliver: (delivery: Delivery) => Promise<Effects>;
  readonly report: (report: SentReport) => Promise<ReportAnswer>;
  readonly proving: GpuProving;
  readonly lending: LendingHost;
};
