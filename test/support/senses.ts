import { expect, type Mock, vi } from 'vitest';
import type { Attention, Log, Sources } from '../../agent/ports.ts';
import { createSenses, type Senses } from '../../agent/senses.ts';
import { defaultSettings } from '../../core/settings.ts';
import type { SensorName } from '../../core/signals.ts';
import { FakeClock } from '../fakes/clock.ts';
import { Person, TellingPerson } from '../fakes/sources.ts';

const THRESHOLDS = [10_000, 180_000];
const NOTHING: Sources = {
  ...{ idle: [], locked: [], fullscreen: [], processes: [], media: [], cpuByOthersPercent: [], gpus: [] },
  ...{ onBattery: [], temperatureC: [], metered: [], freeDiskBytes: [] },
};

/** A hub of sensors on a clock of its own. */
export class SensesStage {
  readonly clock = new FakeClock();
  readonly log: Mock<Log> = vi.fn();
  told: SensorName[] = [];
  #senses: Senses | null = null;

  open(sources: Partial<Sources>): Senses {
    const { games } = defaultSettings();
    this.#senses = createSenses({
      ...{ clock: this.clock, log: this.log, sources: { ...NOTHING, ...sources } },
      games: () => games,
      changed: (sensor) => this.told.push(sensor),
    });
    return this.#senses;
  }
  person = (awayMs: number): Person => new Person(this.clock, awayMs);
  tellingPerson = (awayMs: number): TellingPerson => new TellingPerson(this.clock, awayMs);

  async attend(attention: Attention, limitMs = 2_000): Promise<void> {
    let done = false;
    const attending = this.#senses?.attend({ idle: attention, others: attention }, THRESHOLDS).then(() => {
      done = true;
    });
    await this.clock.advance(0);
    for (let passed = 0; !done && passed < limitMs; passed += 50) await this.clock.advance(50);
    expect(done, 'looking closer is not waited for without end').toBe(true);
    await attending;
  }
  close(): void {
    this.#senses?.close();
    expect(this.clock.pending(), 'timers that nobody cancelled').toBe(0);
  }
}
