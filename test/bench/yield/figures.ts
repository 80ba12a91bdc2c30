/** Nearest rank. NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

/** Tenths are below what such a measurement can tell. */
export const rounded = (value: number): number => Math.round(value * 10) / 10;

export const spread = (values: readonly number[]) => ({
  n: values.length,
  p50: rounded(percentile(values, 50)),
  p95: rounded(percentile(values, 95)),
  p99: rounded(percentile(values, 99)),
  max: rounded(Math.max(...values)),
});
