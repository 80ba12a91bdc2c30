import type { ProbeHost, ProofStore } from '../../agent/ports.ts';
import type { Proof } from '../../core/proof.ts';

/** A machine with nothing on it; `heard` is what its listener hears. */
export class FakeProbeHost implements ProbeHost {
  heard = 0;
  /** Listeners that were not closed. */
  open = 0;
  aims: ProbeHost['aims'] = async () => ({
    ...{ gateways: ['192.0.2.1'], own: ['192.0.2.2'], broadcasts: [], resolvers: [], neighbours: [] },
    ...{ engineSockets: [], devices: [] },
  });
  lay: ProbeHost['lay'] = async (token) => {
    this.open++;
    return { port: 4000, socket: null, token, heard: () => this.heard, close: () => void this.open-- };
  };
}

export class FakeProofs implements ProofStore {
  kept: Proof | null = null;
  readonly listeners = new Set<() => void>();
  load = async (): Promise<Proof | null> => this.kept;
  onChange: ProofStore['onChange'] = (listener) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  save = async (proof: Proof): Promise<void> => {
    this.kept = proof;
  };
}
