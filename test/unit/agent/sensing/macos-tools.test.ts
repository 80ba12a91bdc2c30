import { describe, expect, it } from 'vitest';
import { macosGpus, parseAccelerators, parseAssertions, parseBattery } from '../../../../agent/adapters/macos-tools.ts';

describe('pmset -g batt', () => {
  const battery = (from: string): string =>
    `Now drawing from '${from}'\n -InternalBattery-0 (id=4653155)\t81%; discharging; 5:12 remaining present: true\n`;
  it('tells of the battery, where there is one', () => {
    expect(parseBattery(battery('Battery Power'))).toBe(true);
    expect(parseBattery(battery('AC Power'))).toBe(false);
    expect(parseBattery("Now drawing from 'AC Power'\n")).toBe('unavailable');
    expect(parseBattery("Now drawing from 'UPS Power'\n -Back-UPS ES 700 (id=1)\t100%\n")).toBe(true);
    expect(parseBattery('')).toBe('unknown');
  });
});

describe('pmset -g assertions', () => {
  const text = (awake: number): string =>
    [
      '2026-01-02 13:20:57 -0600',
      'Assertion status system-wide:',
      '   UserIsActive                   1',
      `   PreventUserIdleDisplaySleep    ${awake}`,
      '   PreventUserIdleSystemSleep     1',
      'Listed by owning process:',
      '   pid 145(WindowServer): [0x00044f2f00099212] 00:00:00 UserIsActive named: "com.apple.iohideventsystem.queue.tickle"',
      '   pid 80(powerd): [0x00044f2f00019216] 00:22:34 PreventUserIdleSystemSleep named: "Powerd - Prevent sleep while display is on"',
      ...(awake === 0
        ? []
        : ['   pid 612(Google Chrome): [0x0005] 00:01:10 PreventUserIdleDisplaySleep named: "Video Wake Lock"']),
    ].join('\n');
  it('name who keeps the display awake', () => {
    expect(parseAssertions(text(1))).toEqual({ name: 'Google Chrome' });
    expect(parseAssertions(text(0))).toBeNull();
    expect(parseAssertions('   PreventUserIdleDisplaySleep    1\n')).toEqual({ name: 'macOS' });
    expect(parseAssertions('pmset: error')).toBe('unknown');
  });
});

describe('ioreg', () => {
  const M1 =
    '+-o AGXAcceleratorG13G  <class AGXAcceleratorG13G, registered, matched, active, busy 0>\n    {\n      "model" = "Apple M1"\n' +
    '      "PerformanceStatistics" = {"In use system memory"=349978624,"Tiler Utilization %"=5,"Device Utilization %"=7,"recoveryCount"=0}\n    }\n';
  it('tells of the use of the GPU, as far as its driver does', () => {
    expect(parseAccelerators(M1)).toEqual([
      {
        ...{ id: 'accelerator-0', name: 'Apple M1', busyByOthersPercent: 7, memoryBytes: 'unavailable' },
        ...{ memoryByOthersBytes: 349978624, temperatureC: 'unavailable' },
        place: { vendor: 'other', render: null, compute: null },
      },
    ]);
    expect(parseAccelerators('"PerformanceStatistics" = {}')).toMatchObject([{ busyByOthersPercent: 'unavailable' }]);
  });
  it('is unavailable without an accelerator', async () => {
    expect(await macosGpus(async () => '').read()).toBe('unavailable');
  });
});
