import type { Outcome } from '../core/errors.ts';
import type { Commands } from '../core/ipc.ts';
import type { Address, Known } from '../core/primitives.ts';
import type { Rules } from '../core/settings.ts';
import type { Snapshot } from '../core/snapshot.ts';
import type { Log, SecretBox, Unsubscribe } from './ports.ts';

/** What the owner may ask of the provider; `useFolder` is for shells, and not for their windows. */
export type AgentCommands = Omit<Commands, 'openHelp' | 'chooseFolder'> & {
  /** Where what others keep is to lie: an absolute path, or null for the engine's own place. */
  readonly useFolder: (folder: string | null) => Promise<Outcome<null>>;
};

/** The running provider, as tray, window, terminal and tests see it. */
export type Agent = {
  readonly start: () => Promise<void>;
  /** Removes its containers, closes the ledger. Leases stay on disk. */
  readonly stop: () => Promise<void>;
  readonly snapshot: () => Snapshot;
  /** Coalesced: at most one call in 100 ms, always with the newest snapshot. */
  readonly onSnapshot: (listener: (snapshot: Snapshot) => void) => Unsubscribe;
  readonly commands: AgentCommands;
  /** Something may have changed: look at the world now instead of at the next tick. */
  readonly wake: () => void;
};

/** What a composition root tells the Node composition in `agent/node.ts`. */
export type NodeAgentOptions = {
  readonly version: string;
  /** Settings, vault, ledgers, workspace; created with mode 0700. */
  readonly dataDir: string;
  /** The signed catalogue that came with the app; there need be none. */
  readonly catalogueFile: string;
  /** The release keys that this build trusts; without them nothing may run. */
  readonly catalogueKeysFile: string;
  readonly seccompFile: string;
  readonly secretBox: SecretBox;
  /** Milliseconds since the last input; without it the system's own ways tell, which Linux alone has. */
  readonly idleMs?: () => Promise<Known<number>>;
  readonly log: Log;
  /** Initial settings of a data directory that has none yet. */
  readonly initial?: {
    readonly coordinatorUrl?: string;
    readonly mode?: 'now' | 'when-idle';
    readonly rules?: Partial<Rules>;
  };
};

export type OpenedAgent = { readonly agent: Agent; readonly owner: Address; readonly device: Address };
