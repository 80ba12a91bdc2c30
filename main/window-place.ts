import { z } from 'zod';

/** Screen rectangles in device-independent pixels. */
export type Rectangle = { readonly x: number; readonly y: number; readonly width: number; readonly height: number };

export type Place = { readonly bounds: Rectangle | null; readonly maximised: boolean };

export const DEFAULT_SIZE = { width: 1040, height: 720 } as const;
export const MINIMUM_SIZE = { width: 420, height: 480 } as const;
/** Of the title bar: as much as a hand needs to drag the window back. */
const GRIP = 64;

const pixel = z.number().int().min(-100_000).max(100_000);
const stored = z.object({
  bounds: z.object({ x: pixel, y: pixel, width: pixel, height: pixel }).nullable(),
  maximised: z.boolean(),
});

/** A remembered place; anything unreadable is forgotten. */
export function parsePlace(text: string | null): Place {
  try {
    return stored.parse(JSON.parse(text ?? ''));
  } catch {
    return { bounds: null, maximised: false };
  }
}

/** The remembered bounds when a screen still shows them, else null: the system chooses. */
export function usableBounds({ bounds }: Place, screens: readonly Rectangle[]): Rectangle | null {
  if (bounds === null) return null;
  const width = Math.max(bounds.width, MINIMUM_SIZE.width);
  const height = Math.max(bounds.height, MINIMUM_SIZE.height);
  const seen = screens.some(
    (screen) =>
      bounds.x + GRIP <= screen.x + screen.width &&
      bounds.x + width - GRIP >= screen.x &&
      bounds.y >= screen.y &&
      bounds.y + GRIP <= screen.y + screen.height,
  );
  return seen ? { ...bounds, width, height } : null;
}
