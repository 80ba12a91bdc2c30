import type { View } from '../frame.ts';

/** Line drawings on a 20 × 20 field; they take the colour of the text beside them. */
const PATHS = {
  overview: 'M10 2.5v3M10 14.5v3M2.5 10h3M14.5 10h3M10 6.5a3.5 3.5 0 1 0 0 7a3.5 3.5 0 0 0 0-7',
  earnings: 'M3 16.5h14M5.5 13.5v-4M10 13.5v-9M14.5 13.5v-6',
  limits: 'M3 6h7M14 6h3M3 14h3M10 14h7M12 4v4M8 12v4',
  activity: 'M10 3a7 7 0 1 1 0 14a7 7 0 0 1 0-14M10 6.5V10l2.5 2',
  wallet:
    'M3 6.5h12.5a1.5 1.5 0 0 1 1.5 1.5v7a1.5 1.5 0 0 1-1.5 1.5h-11A1.5 1.5 0 0 1 3 15zM3 6.5l10-3v3M13.5 11.5h.01',
  proof: 'M10 2.5l6 2.5v4.5c0 4-2.6 6.7-6 8c-3.4-1.3-6-4-6-8V5zM7.2 9.8l2 2l3.6-4',
  settings:
    'M10 7.2a2.8 2.8 0 1 0 0 5.6a2.8 2.8 0 0 0 0-5.6M10 2.5v2M10 15.5v2M3.5 6.2l1.7 1M14.8 12.8l1.7 1M3.5 13.8l1.7-1M14.8 7.2l1.7-1',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  check: 'M4 10.5l4 4l8-9',
  cross: 'M5 5l10 10M15 5L5 15',
  down: 'M5 8l5 5l5-5',
  alert: 'M10 3l7.5 13.5h-15zM10 8.5v3.5M10 14.4h.01',
  shield: 'M10 2.5l6 2.5v4.5c0 4-2.6 6.7-6 8c-3.4-1.3-6-4-6-8V5z',
  arrow: 'M4 10h12M11.5 5.5L16 10l-4.5 4.5',
} as const satisfies Readonly<Record<View, string>> & Readonly<Record<string, string>>;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return (
    <svg className="icon" viewBox="0 0 20 20" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The product's mark: three nodes on an open ring, as in the app's icon and the tray. */
export function Mark() {
  return (
    <svg className="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path className="mark-spoke" d="M16 16 26.5 12.6M16 16 11.2 6.1M16 16 11.7 26.1" />
      <path className="mark-ring" d="M26.5 12.6A11 11 0 1 1 11.2 6.1" />
      <circle className="mark-node" cx="11.2" cy="6.1" r="2.9" />
      <circle className="mark-node" cx="11.7" cy="26.1" r="2.9" />
      <circle className="mark-core" cx="26.5" cy="12.6" r="2.9" />
      <circle className="mark-core" cx="16" cy="16" r="2.4" />
    </svg>
  );
}
